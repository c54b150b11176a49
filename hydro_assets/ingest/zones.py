"""Wall clocks and instants: the hour that a clock set back repeats, and the hour that a clock set forward skips."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def utc_of_wall_clock(
    wall: pl.Series, timezone: str, number: pl.Series | None = None, arrival: pl.Series | None = None
) -> pl.Series:
    """Naive wall-clock times of `timezone` as UTC.

    In the hour that a clock set back repeats, the order of `number` (else of `arrival`, else of the rows) tells the
    first pass from the second: the first jump back of the wall clock starts the second pass. Wall times that a clock
    set forward skips came from a clock that was not set, so they are read with the offset before the change.
    """
    wall = wall.cast(pl.Datetime("us"))
    if timezone == "UTC":
        return wall.dt.replace_time_zone("UTC")
    first = wall.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    second = wall.dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null").dt.convert_time_zone("UTC")
    hour = timedelta(hours=1)
    skipped = (wall - hour).dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null")
    skipped = skipped.dt.convert_time_zone("UTC") + hour
    none = pl.Series([None] * len(wall), dtype=pl.Int64)
    frame = pl.DataFrame(
        {
            "wall": wall,
            "first": first,
            "second": second,
            "skipped": skipped,
            "id": number if number is not None else none,
            "arrival": arrival if arrival is not None else none,
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


def skipped_by(wall: pl.Series, timezone: str) -> pl.Series:
    """Which wall-clock times do not exist in `timezone`, because its clock was set forward over them."""
    return wall.is_not_null() & wall.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null").is_null()


def repeated_in(wall: pl.Series, timezone: str) -> pl.Series:
    """Which wall-clock times exist twice in `timezone`, because its clock was set back over them."""
    first = wall.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    second = wall.dt.replace_time_zone(timezone, ambiguous="latest", non_existent="null")
    return (first != second).fill_null(False)


def winter_zone(timezone: str, day: pl.Series) -> str:
    """Name of the zone that keeps the standard offset of `timezone` all year: `Etc/GMT-1` for Europe/Berlin."""
    january = day.dt.truncate("1y").head(1)
    january = pl.concat([january, january.dt.offset_by("6mo")]).cast(pl.Datetime("us"))
    local = january.dt.replace_time_zone("UTC").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    hours = min((local - january).dt.total_seconds().to_list()) / 3600
    if hours != int(hours):
        return "a zone without summer time"
    return "Etc/UTC" if hours == 0 else f"Etc/GMT{'-' if hours > 0 else '+'}{abs(int(hours))}"
