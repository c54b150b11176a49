"""Two ways to address a Delta table, same verbs: by path (laptop, object store) or by catalog name (Databricks).

Only verbs that Sail, Delta on Spark and Databricks all execute rightly are used. Dynamic partition overwrite,
saveAsTable, mergeSchema and the DeltaTable API lose or change data silently on at least one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hydro_assets.tables import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class TableVersion:
    """Identity and version of a Delta table; the id changes when a table is dropped and created again."""

    table_id: str
    version: int


class Tables(Protocol):
    """Verbs of the storage layer. `name` is without catalog: `gold.iot_data`."""

    def uri(self, name: str) -> str: ...
    def exists(self, name: str) -> bool: ...
    def create(self, table: Table) -> None: ...
    def add_columns(self, name: str, columns: Sequence[Column]) -> None: ...
    def properties(self, name: str) -> dict[str, str]: ...
    def read(self, name: str) -> DataFrame: ...
    def overwrite(self, frame: DataFrame, name: str, condition: str, note: str) -> None: ...
    def append(self, frame: DataFrame, name: str, note: str) -> None: ...
    def version(self, name: str) -> TableVersion: ...
    def drop(self, name: str) -> None: ...


def create_statement(table: Table, full_name: str, location: str | None) -> str:
    """`CREATE TABLE IF NOT EXISTS` for a table: types, comments, partition column, properties."""

    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def comment(c: Column) -> str:
        unit = f" [{c.unit}]" if c.unit else ""
        return quoted(c.meaning + unit)

    columns = ",\n  ".join(
        f"`{c.name}` {c.type.upper()}{'' if c.nullable else ' NOT NULL'} COMMENT {comment(c)}" for c in table.columns
    )
    parts = [f"CREATE TABLE IF NOT EXISTS {full_name} (\n  {columns}\n) USING delta"]
    if table.partition_by:
        parts.append(f"PARTITIONED BY ({table.partition_by})")
    if location is not None:
        parts.append(f"LOCATION {quoted(location)}")
    parts.append(f"COMMENT {quoted(table.comment)}")
    if table.properties:
        pairs = ", ".join(f"{quoted(k)} = {quoted(v)}" for k, v in table.properties)
        parts.append(f"TBLPROPERTIES ({pairs})")
    return "\n".join(parts)


@dataclass(frozen=True)
class PathTables:
    """Tables in folders `root/catalog/schema/table`; the Delta log is read without Spark."""

    session: Callable[[], SparkSession]  # opened only by the verbs that need Spark
    root: str
    catalog: str

    def uri(self, name: str) -> str:
        return "/".join([self.root.rstrip("/"), self.catalog, *name.split(".")])

    def exists(self, name: str) -> bool:
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(self.uri(name))

    def create(self, table: Table) -> None:
        # Sail's catalog lives in the session, so the name may still point to a table whose folder is gone.
        schema = f"{self.catalog}.{table.name.split('.')[0]}"
        self.session().sql(f"CREATE DATABASE IF NOT EXISTS {schema}")
        self.session().sql(f"DROP TABLE IF EXISTS {self.catalog}.{table.name}")
        self.session().sql(create_statement(table, f"{self.catalog}.{table.name}", self.uri(table.name)))

    def add_columns(self, name: str, columns: Sequence[Column]) -> None:
        # Sail has no ALTER TABLE ADD COLUMNS; delta-rs writes the same log entry.
        from deltalake import DeltaTable, Field
        from deltalake.schema import PrimitiveType

        primitive = {"int": "integer"}
        fields = [Field(c.name, PrimitiveType(primitive.get(c.type, c.type)), nullable=True) for c in columns]
        DeltaTable(self.uri(name)).alter.add_columns(fields)

    def properties(self, name: str) -> dict[str, str]:
        from deltalake import DeltaTable

        return dict(DeltaTable(self.uri(name)).metadata().configuration)

    def read(self, name: str) -> DataFrame:
        return self.session().read.format("delta").load(self.uri(name))

    def overwrite(self, frame: DataFrame, name: str, condition: str, note: str) -> None:
        # Sail appends rows outside replaceWhere without a word, so the same condition filters the frame.
        writer = frame.where(condition).write.format("delta").mode("overwrite")
        writer.option("replaceWhere", condition).option("userMetadata", note).save(self.uri(name))

    def append(self, frame: DataFrame, name: str, note: str) -> None:
        frame.write.format("delta").mode("append").option("userMetadata", note).save(self.uri(name))

    def version(self, name: str) -> TableVersion:
        from deltalake import DeltaTable

        table = DeltaTable(self.uri(name))
        return TableVersion(str(table.metadata().id), table.version())

    def drop(self, name: str) -> None:
        from pyarrow.fs import FileSystem

        # The log goes first: without it there is no table, whatever a killed process leaves of the folder.
        files, path = FileSystem.from_uri(self.uri(name))
        files.delete_dir(f"{path}/_delta_log")
        files.delete_dir(path)


@dataclass(frozen=True)
class CatalogTables:
    """Tables of a catalog (Unity Catalog), by name; SQL only, so it runs on Spark Connect and serverless."""

    session: Callable[[], SparkSession]
    catalog: str

    def uri(self, name: str) -> str:
        return f"{self.catalog}.{name}"

    def exists(self, name: str) -> bool:
        return self.session().catalog.tableExists(self.uri(name))

    def create(self, table: Table) -> None:
        self.session().sql(f"CREATE SCHEMA IF NOT EXISTS {self.catalog}.{table.name.split('.')[0]}")
        self.session().sql(create_statement(table, self.uri(table.name), None))
        if table.keys and table.time_column in table.keys:
            # Unity Catalog takes a table with a primary key and a time series column as a feature table.
            keys = ", ".join(f"{k} TIMESERIES" if k == table.time_column else k for k in table.keys)
            constraint = table.name.replace(".", "_") + "_pk"
            self.session().sql(f"ALTER TABLE {self.uri(table.name)} ADD CONSTRAINT {constraint} PRIMARY KEY ({keys})")

    def add_columns(self, name: str, columns: Sequence[Column]) -> None:
        listed = ", ".join(f"`{c.name}` {c.type.upper()}" for c in columns)
        self.session().sql(f"ALTER TABLE {self.uri(name)} ADD COLUMNS ({listed})")

    def properties(self, name: str) -> dict[str, str]:
        rows = self.session().sql(f"SHOW TBLPROPERTIES {self.uri(name)}").collect()
        return {row["key"]: row["value"] for row in rows}

    def read(self, name: str) -> DataFrame:
        return self.session().table(self.uri(name))

    def overwrite(self, frame: DataFrame, name: str, condition: str, note: str) -> None:
        from pyspark.sql import functions as F

        writer = frame.where(condition).writeTo(self.uri(name)).option("userMetadata", note)
        writer.overwrite(F.expr(condition))

    def append(self, frame: DataFrame, name: str, note: str) -> None:
        frame.writeTo(self.uri(name)).option("userMetadata", note).append()

    def version(self, name: str) -> TableVersion:
        detail = self.session().sql(f"DESCRIBE DETAIL {self.uri(name)}").first()
        history = self.session().sql(f"DESCRIBE HISTORY {self.uri(name)} LIMIT 1").first()
        if detail is None or history is None:
            raise LookupError(f"{self.uri(name)} has no history")
        return TableVersion(str(detail["id"]), int(history["version"]))

    def drop(self, name: str) -> None:
        self.session().sql(f"DROP TABLE {self.uri(name)}")
