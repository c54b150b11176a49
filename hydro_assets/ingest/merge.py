"""Rows that share an instant: merged per column, held between changes, compared with the rows that Gold has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from hydro_assets.tables import ACTUATOR_COLUMNS, SENSOR

MEASURED = (*SENSOR, "water_level", *ACTUATOR_COLUMNS)
PLACE = ["system_id", "timestamp_key"]


@dataclass(frozen=True)
class Merged:
    """One row per instant where the rows agree; where known values differ, each differing row.

    Attributes:
        frame: the rows, in the order of the first of each instant.
        merged: rows that went into another one.
        differing: instants at which known values differ.
    """

    frame: pl.DataFrame
    merged: int
    differing: int


def merge_instants(frame: pl.DataFrame, instant: Sequence[str] = PLACE) -> Merged:
    """Merge the rows of an instant, column by column. Null and a value agree; two values agree when they are equal."""
    keys = [*instant]
    alone = frame.filter(pl.len().over(keys) == 1)
    if alone.height == frame.height:
        return Merged(frame, 0, 0)
    ordered = frame.with_row_index("_order")
    shared = ordered.filter(pl.len().over(keys) > 1)
    measured = [c for c in MEASURED if c in frame.columns]
    kinds = shared.group_by(keys, maintain_order=True).agg(
        pl.any_horizontal(*(pl.col(c).drop_nulls().n_unique() > 1 for c in measured), pl.lit(False)).alias("_differs")
    )
    shared = shared.join(kinds, on=keys, how="left", nulls_equal=True, maintain_order="left")
    agreeing = (
        shared.filter(~pl.col("_differs"))
        .group_by(keys, maintain_order=True)
        .agg(pl.exclude(keys).drop_nulls().first())
    )
    differing = shared.filter("_differs").unique([*keys, *measured], keep="first", maintain_order=True)
    parts = [ordered.filter(pl.len().over(keys) == 1), agreeing.drop("_differs"), differing.drop("_differs")]
    together = pl.concat([p.select(ordered.columns) for p in parts]).sort("_order").drop("_order")
    return Merged(together, frame.height - together.height, int(kinds["_differs"].sum()))


def held(
    frame: pl.DataFrame, limit: timedelta, step: timedelta, zone: str, ends: Mapping[str, pl.DataFrame] | None = None
) -> pl.DataFrame:
    """`frame` of a logger that writes changes only, with each known value kept for up to `limit`.

    Null cells take the last known value of their system; instants every `step` are added while any value holds. Only
    earlier rows are used, so nothing comes from the future.

    Args:
        frame: rows with `system_id`, `timestamp_key` (wall clock of `zone`) and `instant` (UTC).
        ends: column -> `system_id` and `instant` at which the logger says that there is no value: none is held on.
    """
    parts = []
    names = [c for c in MEASURED if c in frame.columns]
    for (system,), rows in frame.sort("instant", maintain_order=True).group_by("system_id", maintain_order=True):
        span = rows["instant"]
        ticks = pl.datetime_range(span.min(), span.max(), step, time_unit="us", eager=True)  # type: ignore[arg-type]
        missing = pl.DataFrame({"instant": ticks}).join(rows, on="instant", how="anti")
        wall = pl.col("instant").dt.convert_time_zone(zone).dt.replace_time_zone(None)
        added = missing.select("instant", wall.alias("timestamp_key"), pl.lit(system).alias("system_id"), _tick=True)
        whole = pl.concat([rows.with_columns(_tick=pl.lit(False)), added], how="diagonal")
        whole = whole.sort("instant", maintain_order=True)
        for column in names:
            whole = _held_on(whole, column, limit, None if ends is None else ends.get(column), str(system))
        parts.append(whole.filter(~pl.col("_tick") | pl.any_horizontal(pl.col(names).is_not_null())).drop("_tick"))
    return pl.concat(parts)


def _held_on(
    whole: pl.DataFrame, column: str, limit: timedelta, ends: pl.DataFrame | None, system: str
) -> pl.DataFrame:
    since = pl.when(pl.col(column).is_not_null()).then("instant").forward_fill()
    holds = pl.col("instant") - since <= limit
    if ends is not None:
        ended = ends.filter(pl.col("system_id") == system).select(pl.col("instant").alias("_end")).sort("_end")
        whole = whole.join_asof(ended, left_on="instant", right_on="_end")
        holds = holds & (pl.col("_end").is_null() | (since >= pl.col("_end")))
    held_on = pl.when(holds).then(pl.col(column).forward_fill()).alias(column)
    return whole.with_columns(held_on).drop("_end", strict=False)


def new_readings(incoming: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    """Rows of `incoming` that say something which the rows in force in `existing` do not say; both in Gold's columns.

    In force at an instant is, column by column, what arrived last. A row is known when each of its values is in
    force there (a row without values: when the instant has any row); a value that was overtaken counts as new.
    """
    if existing.is_empty():
        return incoming
    stored = _with_arrival(incoming, existing)
    has_row = _found(incoming, stored.select(PLACE), PLACE)
    is_known = has_row
    for column in (c for c in MEASURED if c in incoming.columns):
        in_force = _in_force(stored, column) if column in stored.columns else None
        same = _found(incoming, in_force, [*PLACE, column]) if in_force is not None else ~has_row & has_row
        is_known = is_known & (incoming[column].is_null() | same)
    return incoming.filter(~is_known)


def differing_from(incoming: pl.DataFrame, existing: pl.DataFrame) -> int:
    """Rows of `incoming` with a known value where the value in force in `existing` is another one."""
    if existing.is_empty() or incoming.is_empty():
        return 0
    stored = _with_arrival(incoming, existing)
    differs = pl.repeat(False, incoming.height, eager=True)
    for column in (c for c in MEASURED if c in incoming.columns and c in stored.columns):
        in_force = _in_force(stored, column)
        other = _found(incoming, in_force.select(PLACE), PLACE) & ~_found(incoming, in_force, [*PLACE, column])
        differs = differs | (incoming[column].is_not_null() & other)
    return int(differs.sum())


def _with_arrival(incoming: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    """Places, measured columns and arrival of `existing`, in the types of `incoming`; its clock without a zone."""
    kind = incoming.schema
    arrival = pl.lit(0, pl.Int64)
    if "ingestion_timestamp" in existing.columns:
        arrival = pl.col("ingestion_timestamp").cast(pl.Datetime("us")).cast(pl.Int64).fill_null(0)
    return existing.select(
        pl.col("system_id").cast(kind["system_id"]),
        pl.col("timestamp_key").dt.replace_time_zone(None).cast(kind["timestamp_key"]),
        *(pl.col(c).cast(kind[c]) for c in MEASURED if c in existing.columns and c in incoming.columns),
        arrival.alias("_arrival"),
    )


def _in_force(stored: pl.DataFrame, column: str) -> pl.DataFrame:
    known = stored.filter(pl.col(column).is_not_null())
    return known.filter(pl.col("_arrival") == pl.col("_arrival").max().over(PLACE)).select(*PLACE, column)


def _found(rows: pl.DataFrame, among: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    marked = among.unique().with_columns(pl.lit(True).alias("_found"))
    return rows.select(keys).join(marked, on=keys, how="left", maintain_order="left")["_found"].fill_null(False)
