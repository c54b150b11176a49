"""Random Gold rows of one system with everything that goes wrong in a greenhouse: gaps, outages, bad cells."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from hydro_assets.tables import ACTUATOR_COLUMNS

LEVELS = {
    "ph_level": (6.0, 0.2),
    "tds_level": (1000.0, 150.0),
    "air_temperature": (24.0, 2.0),
    "air_humidity": (60.0, 8.0),
    "water_temperature": (21.0, 1.0),
}


def gold_rows(
    seed: int,
    start: datetime,
    length: timedelta,
    cadence: timedelta,
    gaps: tuple[tuple[float, float], ...] = (),
    outages: tuple[tuple[str, float, float], ...] = (),
    bad_share: float = 0.03,
) -> pl.DataFrame:
    """Readings from naive `start`, about every `cadence`.

    `gaps`: (from, to) hours without readings. `outages`: (sensor, from, to) hours in which a probe gives nothing.
    `bad_share` of the cells are null, NaN, infinite, zero or out of range.
    """
    rng = np.random.default_rng(seed)
    n = int(length / cadence)
    seconds = np.sort(rng.uniform(0, length.total_seconds(), n)).round(3)
    hours = seconds / 3600
    keep = ~np.any([(hours >= a) & (hours < b) for a, b in gaps], axis=0) if gaps else np.ones(n, bool)
    seconds, hours = seconds[keep], hours[keep]
    n = len(seconds)
    made: dict[str, object] = {
        "reading_id": np.arange(1, n + 1),
        "timestamp_key": [start + timedelta(milliseconds=int(s * 1000)) for s in seconds],
    }
    for name, (level, spread) in LEVELS.items():
        values = level + spread * np.sin(hours / 24 * 2 * np.pi + rng.uniform(0, 6)) + rng.normal(0, spread / 20, n)
        cells: list[float | None] = list(values)
        for i in np.flatnonzero(rng.random(n) < bad_share):
            cells[i] = [None, float("nan"), float("inf"), 0.0, -1e6][rng.integers(5)]
        for sensor, a, b in outages:
            if sensor == name:
                cells = [None if a <= h < b else c for c, h in zip(cells, hours, strict=True)]
        made[name] = cells
    made["water_level"] = rng.integers(0, 4, n)
    for i, name in enumerate(ACTUATOR_COLUMNS):
        made[name] = [None if r < 0.02 else bool(r < 0.02 + 0.08 * i) for r in rng.random(n)]
    frame = pl.DataFrame(made, schema_overrides=dict.fromkeys(LEVELS, pl.Float64), strict=False)
    arrival = pl.col("timestamp_key") + pl.Series([timedelta(seconds=int(s)) for s in rng.integers(1, 600, n)])
    return frame.with_columns(
        pl.col("timestamp_key").cast(pl.Datetime("us")),
        arrival.cast(pl.Datetime("us")).alias("ingestion_timestamp"),
        pl.col("timestamp_key").cast(pl.Date).alias("date"),
        pl.col("water_level").cast(pl.Int32),
        pl.col("reading_id").cast(pl.Int32),
    )
