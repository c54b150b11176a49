"""Delta tables in folders, and the verbs that every place of tables has. Catalogs are in `catalog_tables.py`.

Only verbs that Sail, Delta on Spark and Databricks all execute rightly are used. Dynamic partition overwrite,
saveAsTable, mergeSchema and the DeltaTable API of Spark lose or change data silently on at least one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.lakehouse.durability import IRREPLACEABLE, flush, require_whole
from hydro_assets.lakehouse.folders import file_system
from hydro_assets.tables import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEYS = "hydro.keys"
"""Table property that names the key columns, for catalogs without key constraints and for tables in folders."""

POLARS_TYPES: dict[str, Any] = {
    "string": pl.String,
    "double": pl.Float64,
    "float": pl.Float32,
    "tinyint": pl.Int8,
    "smallint": pl.Int16,
    "int": pl.Int32,
    "bigint": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "timestamp": pl.Datetime("us", "UTC"),
    "timestamp_ntz": pl.Datetime("us"),
}
"""Polars' types of those of Spark SQL."""

# Delta's names of types that Spark SQL calls otherwise.
_SQL_OF_DELTA = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}
_DELTA_OF_SQL = {sql: delta for delta, sql in _SQL_OF_DELTA.items()}


@dataclass(frozen=True)
class TableVersion:
    """Identity and version of a Delta table; the id changes when a table is dropped and created again."""

    table_id: str
    version: int


@dataclass(frozen=True)
class Days:
    """The days `[start, end)` of a table whose day stands in `column`."""

    column: str
    start: date
    end: date

    @property
    def condition(self) -> str:
        """The days in SQL."""
        return f"{self.column} >= DATE '{self.start}' AND {self.column} < DATE '{self.end}'"


class Tables(Protocol):
    """Verbs of the storage layer. `name` is without catalog: `gold.iot_data`.

    Frames to write have the table's columns in its order and types. Rows outside `days` are left out.
    """

    def uri(self, name: str) -> str: ...
    def exists(self, name: str) -> bool: ...
    def create(self, table: Table) -> None: ...
    def columns(self, name: str) -> dict[str, str]:
        """Spark SQL type by column, in the order of the table."""
        ...

    def add_columns(self, name: str, columns: Sequence[Column]) -> None: ...
    def properties(self, name: str) -> dict[str, str]: ...
    def read(self, name: str) -> DataFrame: ...
    def rows(self, name: str, select: Sequence[str], where: str, counted: bool = False) -> pl.DataFrame:
        """SQL expressions of the rows for which a SQL condition holds, in memory.

        `counted`: each distinct result once, with the number of its rows in the column `count`.
        """
        ...

    def overwrite(self, frame: DataFrame | pl.DataFrame, name: str, days: Days | None, note: str) -> None:
        """Make `frame` the content of `days`, or of the whole table, in one commit."""
        ...

    def append(self, frame: pl.DataFrame, name: str, note: str) -> None: ...
    def version(self, name: str) -> TableVersion: ...
    def vacuum(self, name: str, kept_hours: int) -> int:
        """Remove data files that no version of the last `kept_hours` reads; returns how many, 0 where nobody says."""
        ...

    def drop(self, name: str) -> None:
        """Remove the table, whole or damaged; nothing happens where there is none."""
        ...


def spark_rows(frame: DataFrame, select: Sequence[str], where: str, counted: bool) -> pl.DataFrame:
    """`Tables.rows` of a Spark frame."""
    chosen = frame.where(where).selectExpr(*select)
    return pl.DataFrame(pl.from_arrow((chosen.groupBy(*chosen.columns).count() if counted else chosen).toArrow()))


def all_properties(table: Table) -> dict[str, str]:
    """Properties that a table is made with: its own, and its keys."""
    return dict(table.properties) | ({KEYS: ",".join(table.keys)} if table.keys else {})


def comment_of(column: Column) -> str:
    """Meaning and unit of a column in one text."""
    return column.meaning + (f" [{column.unit}]" if column.unit else "")


@dataclass(frozen=True)
class PathTables:
    """Tables in folders `root/catalog/schema/table`; log, schema and properties are read and made without Spark."""

    session: Callable[[], SparkSession]  # opened only by the verbs that need Spark
    root: str
    full_name: Callable[[str], str]  # `gold.iot_data` -> `hydroponics.gold.iot_data`
    engine_folder: Callable[[str], str] = str  # the name under which the session finds `root`

    def uri(self, name: str) -> str:
        return "/".join([self.root.rstrip("/"), *self.full_name(name).split(".")])

    def exists(self, name: str) -> bool:
        from deltalake import DeltaTable

        uri = self.uri(name)
        if not DeltaTable.is_deltatable(uri):
            return False
        require_whole(uri, name)
        return True

    def create(self, table: Table) -> None:
        # The engines agree on no SQL that makes a table in a folder: Sail does not know delta.`path`, and the JVM's own
        # catalog takes no name of three parts.
        from deltalake import DeltaTable, Schema

        DeltaTable.create(
            self.uri(table.name),
            Schema([_delta_field(column) for column in table.columns]),
            mode="ignore",
            partition_by=table.partition_by,
            description=table.comment,
            configuration=all_properties(table),
            raise_if_key_not_exists=False,  # delta-rs knows no properties but Delta's own
        )
        self._flush(table.name)

    def columns(self, name: str) -> dict[str, str]:
        from deltalake.schema import PrimitiveType

        fields = self._table(name).schema().fields
        if not all(isinstance(f.type, PrimitiveType) for f in fields):
            return {f.name: f.dataType.simpleString() for f in self.read(name).schema}
        kinds = {f.name: str(f.type.type) for f in fields}
        return {name: _SQL_OF_DELTA.get(kind, kind) for name, kind in kinds.items()}

    def add_columns(self, name: str, columns: Sequence[Column]) -> None:
        # Sail has no ALTER TABLE ADD COLUMNS; delta-rs writes the same log entry.
        self._table(name).alter.add_columns([_delta_field(replace(column, nullable=True)) for column in columns])
        self._flush(name)

    def properties(self, name: str) -> dict[str, str]:
        return {key: str(value) for key, value in self._table(name).metadata().configuration.items()}

    def read(self, name: str) -> DataFrame:
        return self.session().read.format("delta").load(self._engine_place(name))

    def rows(self, name: str, select: Sequence[str], where: str, counted: bool = False) -> pl.DataFrame:
        return spark_rows(self.read(name), select, where, counted)

    def overwrite(self, frame: DataFrame | pl.DataFrame, name: str, days: Days | None, note: str) -> None:
        condition = "true" if days is None else days.condition
        if isinstance(frame, pl.DataFrame):
            rows = frame if days is None else frame.filter(pl.col(days.column).is_between(days.start, days.end, "left"))
            self._write(rows, name, note, mode="overwrite", predicate=None if days is None else condition)
            return
        # Sail appends rows outside replaceWhere without a word, so the same condition filters the frame.
        writer = frame.where(condition).write.format("delta").mode("overwrite")
        writer.option("replaceWhere", condition).option("userMetadata", note).save(self._engine_place(name))
        self._flush(name)

    def append(self, frame: pl.DataFrame, name: str, note: str) -> None:
        self._write(frame, name, note, mode="append")

    def _write(self, frame: pl.DataFrame, name: str, note: str, **how: Any) -> None:
        """Rows in memory are written by delta-rs: no Spark is started for them, and a commit takes milliseconds."""
        from deltalake import CommitProperties, write_deltalake
        from deltalake.exceptions import CommitFailedError

        noted = CommitProperties(custom_metadata={"userMetadata": note})
        try:
            write_deltalake(self.uri(name), _plain_text(frame), commit_properties=noted, **how)
        except CommitFailedError as error:
            if "Unsupported table features" not in str(error):
                raise
            raise TableError(
                f"The table at {self.uri(name)} cannot be written here: {error}",
                "Drop the feature (ALTER TABLE ... DROP FEATURE), or write the table on Databricks",
            ) from error
        self._flush(name)

    def _flush(self, name: str) -> None:
        if name in IRREPLACEABLE:
            flush(self.uri(name))

    def version(self, name: str) -> TableVersion:
        table = self._table(name)
        return TableVersion(str(table.metadata().id), table.version())

    def vacuum(self, name: str, kept_hours: int) -> int:
        return len(self._table(name).vacuum(kept_hours, dry_run=False, enforce_retention_duration=False))

    def drop(self, name: str) -> None:
        from pyarrow.fs import FileType

        # The log goes first: without it there is no table, whatever a killed process leaves of the folder.
        files, path = file_system(self.uri(name))
        for folder in (f"{path}/_delta_log", path):
            if files.get_file_info(folder).type == FileType.Directory:
                files.delete_dir(folder)

    def _table(self, name: str) -> Any:
        return open_delta(self.uri(name))

    def _engine_place(self, name: str) -> str:
        return self.uri(name).replace(self.root, self.engine_folder(self.root), 1)


def open_delta(uri: str) -> Any:
    """The table in a folder. Raises TableError for one whose newest version its catalog alone knows."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(uri)
    except DeltaError as error:
        if "catalog-managed" not in str(error):
            raise
        raise TableError(
            f"The table at {uri} is managed by a catalog, which alone knows its newest version",
            "Read it by its name (HYDRO_ENVIRONMENT=databricks, without HYDRO_LAKEHOUSE_URI), or have its owner drop "
            "the feature: ALTER TABLE ... DROP FEATURE catalogManaged",
        ) from error


def _delta_field(column: Column) -> Any:
    from deltalake import Field
    from deltalake.schema import PrimitiveType

    kind = PrimitiveType(_DELTA_OF_SQL.get(column.type, column.type))
    return Field(column.name, kind, nullable=column.nullable, metadata={"comment": comment_of(column)})


def _plain_text(frame: pl.DataFrame) -> Any:
    """An Arrow table with text as `string`: delta-rs keeps polars' views in the Parquet file, and of such a column
    pysail 0.7.2 says in a grouped query "Cannot cast column from 'Utf8View' (physical) to 'Utf8' (logical)"."""
    import pyarrow as pa

    rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    fields = [f.with_type(pa.string()) if pa.types.is_large_string(f.type) else f for f in rows.schema]
    return rows.cast(pa.schema(fields))
