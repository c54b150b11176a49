"""One count that must always add up: readings in Gold = readings in features + remainders, each with its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.tidy_readings import tidy_readings
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.tables import names

DAYS_AT_ONCE = 31
MERGED = "share an instant with another reading and are merged with it"
UNSTAMPED = "have no timestamp"
UNBUILT = "belong to days without features"
UNEXPLAINED = "are missing from the features of their day"


@dataclass(frozen=True)
class ReadingAccount:
    """`in_gold` rows of Gold, of which `in_features` stand in feature rows; `remainder`: how many do not, and why."""

    in_gold: int
    in_features: int
    remainder: Mapping[str, int]

    @property
    def adds_up(self) -> bool:
        return not self.remainder.get(UNEXPLAINED) and self.in_gold == self.in_features + sum(self.remainder.values())

    def __str__(self) -> str:
        parts = [f"{count:,} {why}" for why, count in self.remainder.items() if count]
        told = f"{self.in_gold:,} readings in Gold = {self.in_features:,} in features"
        return told + "".join(f" + {part}" for part in parts)


def reading_account(lakehouse: Lakehouse) -> ReadingAccount:
    """Count readings of Gold and of the features day by day (UTC). Raises TableError when there is no Gold."""
    stamps_only = replace(farm_spec(lakehouse), sensors=(), actuators=(), bands={})
    days = [day for day in lakehouse.days(names.IOT_DATA) if day is not None]
    total = sum(lakehouse.rows_by_day(names.IOT_DATA).values())
    instants: dict[date, int] = {}
    stamped = 0
    for start in range(0, len(days), DAYS_AT_ONCE):
        piece = days[start : start + DAYS_AT_ONCE]
        rows = _stamps(lakehouse, piece[0], piece[-1] + timedelta(days=1))
        stamped += rows.height - rows["timestamp_key"].null_count()
        for _, readings in rows.group_by("system_id"):
            by_day = tidy_readings(readings, stamps_only).group_by(pl.col("timestamp").dt.date().alias("day")).len()
            for day, count in by_day.iter_rows():
                instants[day] = instants.get(day, 0) + count
    built = _built(lakehouse)
    unbuilt = sum(count for day, count in instants.items() if day not in built)
    held = sum(built.values())
    merged = stamped - sum(instants.values())
    remainder = {MERGED: merged, UNSTAMPED: total - stamped, UNBUILT: unbuilt}
    return ReadingAccount(total, held, remainder | {UNEXPLAINED: total - held - sum(remainder.values())})


def _stamps(lakehouse: Lakehouse, start: date, end: date) -> pl.DataFrame:
    present = lakehouse.columns(names.IOT_DATA)
    wanted = [c for c in ("system_id", "timestamp_key", "reading_id", "ingestion_timestamp") if c in present]
    rows = lakehouse.read_polars(names.IOT_DATA, start, end, wanted)
    system = pl.col("system_id") if "system_id" in rows.columns else pl.lit(None, pl.String)
    return rows.with_columns(system.fill_null(lakehouse.settings.default_system).alias("system_id"))


def _built(lakehouse: Lakehouse) -> dict[date, int]:
    if not lakehouse.exists(names.SENSOR_FEATURES):
        return {}
    rows = lakehouse.read_polars(names.SENSOR_FEATURES, columns=["date", "reading_count"])
    return dict(rows.group_by("date").agg(pl.col("reading_count").sum()).iter_rows())
