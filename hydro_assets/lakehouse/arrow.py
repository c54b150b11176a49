"""Arrow exactly as Spark expects it from a grouped Arrow function: names, order and types of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa


def spark_schema(table: Table) -> str:
    """DDL string of a table; every field nullable, as Spark wants it of a function's result."""
    return ", ".join(f"`{c.name}` {c.type}" for c in table.columns)


def to_spark_arrow(frame: pl.DataFrame, table: Table) -> pa.Table:
    """`frame` in the columns and Arrow types of `table` (plain strings, microseconds UTC)."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    schema = pa.schema([(c.name, types[c.type]) for c in table.columns])
    return frame.select(table.column_names).to_arrow().cast(schema)
