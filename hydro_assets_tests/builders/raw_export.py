"""A raw export of a simulated farm, as a logger writes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs

from hydro_assets.ingest.headers import HEADER_OF
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate


def write_export(path: Path, start: datetime, end: datetime, cadence: timedelta = timedelta(minutes=1)) -> Path:
    """Readings of one system in [start, end), with the faults that farms have; returns `path`."""
    readings = simulate(1, start, end, 7, cadence, Faults())
    raw = readings.select(pl.col(name).alias(header) for name, header in HEADER_OF.items() if name in readings)
    switches = pl.when(cs.boolean()).then(pl.lit("ON")).otherwise(pl.lit("OFF")).name.keep()
    raw.with_columns(switches).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path
