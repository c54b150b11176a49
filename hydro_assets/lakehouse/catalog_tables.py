"""Delta tables by their names in a catalog: Unity Catalog of Databricks, its open source edition, Delta's own on Spark.

SQL only, so it runs on Spark Connect and serverless. A table is never read by its folder: Unity Catalog refuses that
for the tables it manages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse.tables import Days, TableVersion, all_properties, comment_of, spark_rows
from hydro_assets.tables import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger(__name__)
# A gRPC message of Spark Connect holds 128 MiB; this many rows of our widest local frame stay well below.
ROWS_PER_MESSAGE = 200_000


@dataclass(frozen=True)
class CatalogTables:
    """Tables of the schemas of one catalog. Names are lower case, as Unity Catalog keeps them."""

    session: Callable[[], SparkSession]
    full_name: Callable[[str], str]  # `gold.iot_data` -> `hydroponics.gold.iot_data`
    location: Callable[[str], str | None]  # of a table that the catalog does not manage

    def uri(self, name: str) -> str:
        return self.full_name(name).lower()

    def exists(self, name: str) -> bool:
        full = self.uri(name)
        with _usable(full):
            return self.session().catalog.tableExists(full)

    def create(self, table: Table) -> None:
        full = self.uri(table.name)
        with _usable(full):
            self.session().sql(f"CREATE SCHEMA IF NOT EXISTS {full.rpartition('.')[0]}")
            self.session().sql(create_statement(table, full, self.location(table.name)))
        if table.keys and table.time_column in table.keys:
            self._constrain(table, full)

    def columns(self, name: str) -> dict[str, str]:
        return {f.name: f.dataType.simpleString() for f in self.read(name).schema}

    def add_columns(self, name: str, columns: Sequence[Column]) -> None:
        listed = ", ".join(f"`{c.name}` {c.type.upper()} COMMENT {quoted(comment_of(c))}" for c in columns)
        self.session().sql(f"ALTER TABLE {self.uri(name)} ADD COLUMNS ({listed})")

    def properties(self, name: str) -> dict[str, str]:
        """Properties by key; Unity Catalog's open source edition tells each again as `option.<key>`."""
        rows = self.session().sql(f"SHOW TBLPROPERTIES {self.uri(name)}").collect()
        told = {row["key"]: row["value"] for row in rows}
        return {key.removeprefix("option."): value for key, value in told.items()} | told

    def read(self, name: str) -> DataFrame:
        return self.session().table(self.uri(name))

    def rows(self, name: str, select: Sequence[str], where: str, counted: bool = False) -> pl.DataFrame:
        return spark_rows(self.read(name), select, where, counted)

    def overwrite(self, frame: DataFrame | pl.DataFrame, name: str, days: Days | None, note: str) -> None:
        from pyspark.sql import functions as F

        condition = "true" if days is None else days.condition
        rows = self._spark_frame(frame, name) if isinstance(frame, pl.DataFrame) else frame
        # Sail appends rows outside the condition without a word, so the same condition filters the frame.
        rows.where(condition).writeTo(self.uri(name)).option("userMetadata", note).overwrite(F.expr(condition))

    def append(self, frame: pl.DataFrame, name: str, note: str) -> None:
        for part in frame.iter_slices(ROWS_PER_MESSAGE):
            self._spark_frame(part, name).writeTo(self.uri(name)).option("userMetadata", note).append()

    def _spark_frame(self, frame: pl.DataFrame, name: str) -> DataFrame:
        if frame.is_empty() or not _takes_arrow():
            schema = ", ".join(f"`{column}` {kind}" for column, kind in self.columns(name).items())
            return self.session().createDataFrame(frame.rows(), schema)
        return self.session().createDataFrame(frame.to_arrow())

    def version(self, name: str) -> TableVersion:
        detail = self.session().sql(f"DESCRIBE DETAIL {self.uri(name)}").first()
        history = self.session().sql(f"DESCRIBE HISTORY {self.uri(name)} LIMIT 1").first()
        if detail is None or history is None:
            raise LookupError(f"{self.uri(name)} has no history")
        return TableVersion(str(detail["id"]), int(history["version"]))

    def vacuum(self, name: str, kept_hours: int) -> int:
        self.session().sql(f"VACUUM {self.uri(name)} RETAIN {kept_hours} HOURS")
        return 0

    def drop(self, name: str) -> None:
        self.session().sql(f"DROP TABLE IF EXISTS {self.uri(name)}")

    def _constrain(self, table: Table, full: str) -> None:
        """Unity Catalog takes a table with a primary key and a time series column as a feature table."""
        from pyspark.errors import AnalysisException, UnsupportedOperationException

        keys = ", ".join(f"{k} TIMESERIES" if k == table.time_column else k for k in table.keys)
        constraint = table.name.replace(".", "_") + "_pk"
        try:
            self.session().sql(f"ALTER TABLE {full} ADD CONSTRAINT {constraint} PRIMARY KEY ({keys})")
        except (AnalysisException, UnsupportedOperationException):
            _say_without_constraints(full.partition(".")[0])


def _takes_arrow() -> bool:
    """Whether Spark's client here makes frames of Arrow tables: since version 4, so not Databricks Connect 15.4."""
    import pyspark

    return int(pyspark.__version__.split(".")[0]) >= 4


def create_statement(table: Table, full_name: str, location: str | None = None) -> str:
    """`CREATE TABLE IF NOT EXISTS` for a table: types, comments, partition column, properties."""
    columns = ",\n  ".join(
        f"`{c.name}` {c.type.upper()}{'' if c.nullable else ' NOT NULL'} COMMENT {quoted(comment_of(c))}"
        for c in table.columns
    )
    parts = [f"CREATE TABLE IF NOT EXISTS {full_name} (\n  {columns}\n) USING delta"]
    if table.partition_by:
        parts.append(f"PARTITIONED BY ({table.partition_by})")
    if location is not None:
        parts.append(f"LOCATION {quoted(location)}")
    parts.append(f"COMMENT {quoted(table.comment)}")
    if properties := all_properties(table):
        pairs = ", ".join(f"{quoted(key)} = {quoted(value)}" for key, value in properties.items())
        parts.append(f"TBLPROPERTIES ({pairs})")
    return "\n".join(parts)


def quoted(text: str) -> str:
    """A literal of Spark SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@cache
def _say_without_constraints(catalog: str) -> None:
    _log.warning("Catalog %s takes no primary keys; tables name theirs in the property hydro.keys", catalog)


@contextmanager
def _usable(full_name: str) -> Iterator[None]:
    """Raises SettingsError where Spark refuses the catalog, in place of its stack trace."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SettingsError(
            f"Catalog {full_name.partition('.')[0]} cannot be used: {first.strip()}",
            "Check HYDRO_CATALOG, and that this principal has USE CATALOG, USE SCHEMA, SELECT and MODIFY on it, and "
            "CREATE SCHEMA and CREATE TABLE where tables are new",
        ) from error
