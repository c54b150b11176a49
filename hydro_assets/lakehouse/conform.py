"""Rows take the columns, order and types of the table they are written to, or are refused; times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.lakehouse.tables import POLARS_TYPES
from hydro_assets.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def conform(stored: Mapping[str, str], table: Table, frame: DataFrame | pl.DataFrame) -> DataFrame | pl.DataFrame:
    """The columns of the `stored` table (Spark type by name), in its order and types; absent nullable ones are null.

    Raises TableError when rows with the columns of `frame` do not fit.
    """
    if isinstance(frame, pl.DataFrame):
        return conform_polars(stored, table, frame)
    from pyspark.sql import functions as F

    have = {f.name: f.dataType.simpleString() for f in frame.schema}
    _require_fitting(stored, table, have)
    return frame.select(
        *(F.col(f"`{n}`") if n in have else F.lit(None).cast(kind).alias(n) for n, kind in stored.items())
    )


def conform_polars(stored: Mapping[str, str], table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The same for rows in memory: their columns may have any types whose values all fit. Naive times are UTC."""
    _require_fitting(stored, table, dict.fromkeys(frame.columns))
    return utc_timestamps(frame).select(
        (pl.col(n).cast(POLARS_TYPES[kind]) if n in frame.columns else pl.lit(None, POLARS_TYPES[kind]).alias(n))
        for n, kind in stored.items()
    )


def _require_fitting(stored: Mapping[str, str], table: Table, have: Mapping[str, str | None]) -> None:
    """Raise TableError when rows with the columns `have` (types, None: any) do not fit the stored table."""
    required = {c.name for c in table.columns if not c.nullable}
    problems = [f"column {n} is unknown" for n in have if n not in stored]
    problems += [f"column {n} is missing" for n in required if n not in have]
    problems += [
        f"column {n} is {kind}, not {stored[n]}"
        for n, kind in have.items()
        if n in stored and kind is not None and kind != stored[n]
    ]
    if problems:
        raise TableError(
            f"Rows for {table.name} do not fit: " + "; ".join(problems),
            "Compare them with the table's description (hydro_assets/tables)",
        )


def same_type(have: str, want: str) -> bool:
    """Whether readers treat two Spark types alike: Gold may hold naive timestamps as TIMESTAMP_NTZ, codes as BIGINT."""
    alike = ({"timestamp", "timestamp_ntz"}, {"int", "bigint", "smallint"}, {"double", "float"})
    return have == want or any({have, want} <= group for group in alike)


def utc_timestamps(frame: pl.DataFrame) -> pl.DataFrame:
    """Every time of `frame` as UTC in microseconds; naive ones are UTC already."""
    naive = [n for n, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone is None]
    aware = [n for n, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone is not None]
    return frame.with_columns(
        pl.col(naive).dt.replace_time_zone("UTC").dt.cast_time_unit("us"),
        pl.col(aware).dt.convert_time_zone("UTC").dt.cast_time_unit("us"),
    )
