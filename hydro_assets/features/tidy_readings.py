"""Gold rows of one system, made comparable: UTC, one row per instant, impossible cells null with a flag.

A row is never dropped for a bad cell. The result does not depend on the order of the rows.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.tables import SENSOR, ZERO_IS_PLACEHOLDER

UTC_TIME = pl.Datetime("us", "UTC")


def tidy_readings(readings: pl.DataFrame, spec: FeatureSpec) -> pl.DataFrame:
    """Sorted by `timestamp` (UTC), one row per instant, every sensor and actuator of the spec present.

    Of several rows with one instant the one that arrived last counts (a correction); without an arrival time the
    highest `reading_id`, then the largest values, so that any order of rows gives the same result.
    """
    readings = _with_optional_columns(readings, spec)
    readings = readings.with_columns(utc_timestamps(readings, spec.timezone).alias("timestamp"))
    order = ["timestamp", "ingestion_timestamp", "reading_id", *spec.sensors, *spec.actuators, "water_level"]
    readings = (
        readings.filter(pl.col("timestamp").is_not_null())
        .sort(order, nulls_last=False)
        .unique("timestamp", keep="last", maintain_order=True)
    )
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

    Gold stores the wall clock; a table may label it UTC, which is dropped here. In the hour that a clock set back
    repeats, `reading_id` (else arrival) tells the first pass from the second: the first jump back of the wall clock
    starts the second pass. Wall times that a clock set forward skips came from a clock that was not set, so they
    are read with the offset before the change. No step is lost or repeated.
    """
    wall = readings["timestamp_key"].cast(pl.Datetime("us"))
    if timezone == "UTC":
        return wall.dt.replace_time_zone("UTC")
    first = wall.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    second = wall.dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null").dt.convert_time_zone("UTC")
    hour = timedelta(hours=1)
    skipped = (wall - hour).dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null")
    skipped = skipped.dt.convert_time_zone("UTC") + hour
    frame = pl.DataFrame(
        {
            "wall": wall,
            "first": first,
            "second": second,
            "skipped": skipped,
            "id": readings["reading_id"],
            "arrival": readings["ingestion_timestamp"],
            "row": range(len(wall)),
        }
    )
    ambiguous = (pl.col("first") != pl.col("second")).fill_null(False)
    passes = (
        frame.filter(ambiguous)
        .sort("id", "arrival", "row", nulls_last=False)
        .with_columns(
            pl.col("wall").dt.date().alias("day"),
            (pl.col("wall").diff() < -timedelta(minutes=20)).alias("jumps_back"),
            (pl.col("id").diff() > 0).alias("is_other_reading"),
        )
        .with_columns(
            # A farm that reads once an hour shows no jump: the same wall time comes again with another number.
            (pl.col("jumps_back") | (pl.col("is_other_reading") & (pl.col("wall").n_unique().over("day") == 1)))
            .fill_null(False)
            .cast(pl.Int32)
            .cum_sum()
            .over("day")
            .alias("passes")
        )
        .select("row", "passes")
    )
    return (
        frame.join(passes, on="row", how="left", maintain_order="left")
        .select(
            pl.when(pl.col("first").is_null())
            .then(pl.col("skipped"))
            .when(pl.col("passes") > 0)
            .then(pl.col("second"))
            .otherwise(pl.col("first"))
            .alias("timestamp")
        )
        .to_series()
    )


def _valid_cell(name: str) -> list[pl.Expr]:
    """The cell, null unless physically possible; and two flags that say why it is null."""
    sensor, cell = SENSOR[name], pl.col(name)
    finite = cell.is_finite()
    zero = (cell == 0.0) & finite if name in ZERO_IS_PLACEHOLDER else pl.lit(False)
    outside = ~finite | (cell < sensor.low) | (cell > sensor.high)
    return [
        pl.when(~outside & ~zero).then(cell).alias(name),
        (outside & ~zero).fill_null(False).alias(f"is_{name}_out_of_range"),
        zero.fill_null(False).alias(f"is_{name}_placeholder_zero"),
    ]
