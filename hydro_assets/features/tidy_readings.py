"""Gold rows of one system, made comparable: UTC, one row per instant, impossible cells null with a flag.

A row is never dropped for a bad cell. The result does not depend on the order of the rows.
"""

from __future__ import annotations

import polars as pl

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.ingest.zones import utc_of_wall_clock
from hydro_assets.tables import SENSOR, ZERO_IS_PLACEHOLDER

UTC_TIME = pl.Datetime("us", "UTC")


def tidy_readings(readings: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    """Sorted by `timestamp` (UTC), one row per instant, every sensor and actuator of the spec present.

    Rows of one instant are merged column by column: the known value that arrived last counts (a correction), and a
    sensor that only an earlier row holds keeps it. Without an arrival time the highest `reading_id` counts, then the
    largest values, so that any order of rows gives the same result.
    """
    readings = _with_optional_columns(readings, spec)
    readings = readings.with_columns(utc_timestamps(readings, spec.timezone).alias("timestamp"))
    order = ["timestamp", "ingestion_timestamp", "reading_id", *spec.sensors, *spec.actuators, "water_level"]
    readings = readings.filter(pl.col("timestamp").is_not_null()).sort(order, nulls_last=False)
    if readings["timestamp"].is_duplicated().any():
        readings = readings.group_by("timestamp", maintain_order=True).agg(pl.all().drop_nulls().last())
    return readings.with_columns(*[e for name in spec.sensors for e in _valid_cell(name)])


def _with_optional_columns(readings: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    wanted: dict[str, pl.DataType | type[pl.DataType]] = {
        "reading_id": pl.Int64,
        "water_level": pl.Float64,
        **dict.fromkeys(spec.sensors, pl.Float64),
        **dict.fromkeys(spec.actuators, pl.Boolean),
    }
    have = readings.columns
    arrival = (
        pl.col("ingestion_timestamp").cast(pl.Datetime("us"), strict=False).dt.replace_time_zone("UTC")
        if "ingestion_timestamp" in have and readings.schema["ingestion_timestamp"] == pl.Datetime("us")
        else pl.col("ingestion_timestamp").cast(UTC_TIME)
        if "ingestion_timestamp" in have
        else pl.lit(None, UTC_TIME)
    )
    return readings.select(
        pl.col("timestamp_key"),
        arrival.alias("ingestion_timestamp"),
        *((pl.col(n).cast(t) if n in have else pl.lit(None, t)).alias(n) for n, t in wanted.items()),
    )


def utc_timestamps(readings: pl.DataFrame, timezone: str) -> pl.Series:
    """`timestamp_key`, naive wall-clock time of the farm, as UTC.

    Gold stores the wall clock; a table may label it UTC, which is dropped here.
    """
    wall = readings["timestamp_key"].cast(pl.Datetime("us"))
    return utc_of_wall_clock(wall, timezone, readings["reading_id"], readings["ingestion_timestamp"])


def _valid_cell(name: str) -> list[pl.Expr]:
    """The cell, null unless a probe can have measured it; and three flags that say why it is null."""
    sensor, cell = SENSOR[name], pl.col(name)
    finite = cell.is_finite()
    zero = (cell == 0.0) & finite if name in ZERO_IS_PLACEHOLDER else pl.lit(False)
    outside = ~finite | (cell < sensor.low) | (cell > sensor.high)
    saturated = ((cell == sensor.low) | (cell == sensor.high)) & ~zero
    return [
        pl.when(~outside & ~zero & ~saturated).then(cell).alias(name),
        (outside & ~zero).fill_null(False).alias(f"is_{name}_out_of_range"),
        zero.fill_null(False).alias(f"is_{name}_placeholder_zero"),
        saturated.fill_null(False).alias(f"is_{name}_saturated"),
    ]
