"""A SQL warehouse for tests: DuckDB holds the tables of a catalog and answers the statements that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import polars as pl

from hydro_assets.errors import TableError


class DuckWarehouse:
    """Tables by their full names, as frames."""

    def __init__(self, tables: Mapping[str, pl.DataFrame]) -> None:
        self._database = duckdb.connect()
        self._database.execute("SET TimeZone = 'UTC'")
        self.asked: list[str] = []
        for full, frame in tables.items():
            catalog, schema, _ = full.split(".")
            self._database.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {catalog}")
            self._database.execute(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")
            self._database.register("given", frame.to_arrow())
            self._database.execute(f"CREATE TABLE {full} AS SELECT * FROM given")

    def frame(self, statement: str) -> pl.DataFrame:
        self.asked.append(statement)
        try:
            return self._database.execute(statement.replace("`", '"')).pl()
        except duckdb.CatalogException as error:
            raise TableError(f"[TABLE_OR_VIEW_NOT_FOUND] {error}", "Look for it") from error

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        """Of `DESCRIBE TABLE`, with the names of columns and types that Databricks gives."""
        told = self.frame(statement.replace("DESCRIBE TABLE", "DESCRIBE"))
        names = {"DOUBLE": "double", "VARCHAR": "string", "BIGINT": "bigint", "INTEGER": "int", "BOOLEAN": "boolean",
                 "DATE": "date", "TIMESTAMP WITH TIME ZONE": "timestamp", "TIMESTAMP": "timestamp_ntz"}  # fmt: skip
        cells = [{"col_name": c, "data_type": names[k]} for c, k in told.select("column_name", "column_type").rows()]
        partitions = [{"col_name": name, "data_type": ""} for name in ("", "# Partition Information")]
        return [*cells, *partitions, *cells[-1:]]
