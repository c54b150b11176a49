"""The gate of the plain commands: Gold is judged day by day as the asset check `readings_fit` judges it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from hydro_assets.errors import DataContractError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.quality.gold_findings import day_findings
from hydro_assets.tables import names

DAYS_AT_ONCE = 31


def require_fit_days(lakehouse: Lakehouse, start_day: date, end_day: date) -> None:
    """Raise DataContractError that names the days of Gold in `[start_day, end_day)` that are unfit for features."""
    problems = [
        f"{day}: {finding.sentence}"
        for day, readings in _days(lakehouse, start_day, end_day)
        for finding in day_findings(readings, day)
        if finding.stops
    ]
    if problems:
        told = problems if len(problems) <= 5 else [*problems[:5], f"and {len(problems) - 5} more"]
        raise DataContractError.of_all(
            told, "Mend these days in Gold, or build the others: `hydro run` leaves them out, --start and --end choose"
        )


def _days(lakehouse: Lakehouse, start_day: date, end_day: date) -> Iterator[tuple[date, pl.DataFrame]]:
    held = [day for day in lakehouse.rows_by_day(names.IOT_DATA, start_day, end_day) if day is not None]
    while held:
        first = held[0]
        piece = [day for day in held if day < first + timedelta(days=DAYS_AT_ONCE)]
        held = held[len(piece) :]
        rows = lakehouse.read_polars(names.IOT_DATA, first, piece[-1] + timedelta(days=1))
        own = pl.col("date") if "date" in rows.columns else pl.col("timestamp_key").dt.date()
        for day in piece:
            yield day, rows.filter(own == day)
