"""The only reader and writer of tables: conforms names and types, replaces exactly the days of the run, atomically."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.lakehouse.catalog_tables import CatalogTables
from hydro_assets.lakehouse.commits import WriteReceipt, commit, note
from hydro_assets.lakehouse.conform import conform, conform_polars, same_type, utc_timestamps
from hydro_assets.lakehouse.durability import IRREPLACEABLE, damage, set_aside
from hydro_assets.lakehouse.environments import ENVIRONMENTS, has_ambient_spark
from hydro_assets.lakehouse.folders import scan
from hydro_assets.lakehouse.gold_types import require_readable
from hydro_assets.lakehouse.sql_warehouse import databricks_warehouse
from hydro_assets.lakehouse.tables import Days, PathTables, Tables, TableVersion, open_delta
from hydro_assets.settings import Settings
from hydro_assets.tables import SENSOR, Table, names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Lakehouse:
    """Tables of one farm in one environment. Spark starts at first use, so constructing one is free."""

    settings: Settings

    @cached_property
    def spark(self) -> SparkSession:
        return ENVIRONMENTS[self.settings.environment].session(self.settings)

    @cached_property
    def tables(self) -> Tables:
        root, named = self.settings.table_root, (self.settings.table, self.settings.table_location)
        if root is not None:
            folder = ENVIRONMENTS[self.settings.environment].folder
            return PathTables(lambda: self.spark, root, self.settings.table, folder)
        if self.settings.sql_warehouse_id is None or has_ambient_spark():
            return CatalogTables(lambda: self.spark, *named)
        from hydro_assets.lakehouse.warehouse_tables import WarehouseTables

        return WarehouseTables(lambda: self.spark, *named, databricks_warehouse(self.settings.sql_warehouse_id))

    # -- reading -------------------------------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        return self.tables.uri(name)

    def exists(self, name: str) -> bool:
        return self.tables.exists(name)

    def version(self, name: str) -> TableVersion | None:
        return self.tables.version(name) if self.exists(name) else None

    def columns(self, name: str) -> dict[str, str]:
        """Spark SQL type by column of a table. Raises TableError when it does not exist."""
        self._must_exist(name)
        return self.tables.columns(name)

    def made_from(self, *names: str) -> dict[str, dict[str, dict[str, Any]]]:
        """For the note of a commit: the versions that these tables have now, before they are read."""
        found = {name: self.version(name) for name in names}
        return {"made_from": {name: asdict(version) for name, version in found.items() if version is not None}}

    def read(self, name: str, start_day: date | None = None, end_day: date | None = None) -> DataFrame:
        """Rows of `[start_day, end_day)` as a Spark frame; by `date` where the table has one, else by its timestamp.

        Raises TableError when the table does not exist.
        """
        self._must_exist(name)
        where = self._condition(name, start_day, end_day)
        frame = self.tables.read(name)
        return frame if where == "true" else frame.where(where)

    def _condition(self, name: str, start_day: date | None, end_day: date | None) -> str:
        """The days of `read` in SQL."""
        if start_day is None and end_day is None:
            return "true"
        column, kind = self._day_column(name)
        bounds = ((">=", start_day), ("<", end_day))
        return " AND ".join(f"`{column}` {sign} {kind} '{day}'" for sign, day in bounds if day is not None)

    def _day_column(self, name: str) -> tuple[str, str]:
        """The column that tells the day of a row, and the type of its SQL literals."""
        held = self.tables.columns(name)
        column = next((c for c in ("date", "timestamp", "timestamp_key") if c in held), None)
        if column is None:
            raise TableError(f"Table {name} has no date or timestamp column", "Read it whole")
        return column, "DATE" if column == "date" else "TIMESTAMP"

    def read_polars(
        self,
        name: str,
        start_day: date | None = None,
        end_day: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """The same rows in memory. By path the Delta log is read directly, ten times as fast as Spark Connect."""
        lazy = self._scan(name, start_day, end_day)
        if lazy is not None:
            return utc_timestamps((lazy if columns is None else lazy.select(columns)).collect())
        self._must_exist(name)
        chosen = ["*"] if columns is None else [f"`{column}`" for column in columns]
        return utc_timestamps(self.tables.rows(name, chosen, self._condition(name, start_day, end_day)))

    def _scan(self, name: str, start_day: date | None, end_day: date | None) -> pl.LazyFrame | None:
        """The same rows from the Delta log and its files, lazily, without Spark; None where only Spark can read them.

        That is in catalogs, and where a table has features of Delta that polars lacks (column mapping, type widening,
        checkpoints of version 2).
        """
        from deltalake.exceptions import DeltaProtocolError

        if not isinstance(self.tables, PathTables):
            return None
        self._must_exist(name)
        try:
            lazy = scan(open_delta(self.uri(name)), self.uri(name))
            schema = lazy.collect_schema()
        except DeltaProtocolError:
            return None
        if name == names.IOT_DATA:  # decimals and text of other writers, as Spark casts them
            odd = [c for c in SENSOR if c in schema and not schema[c].is_float()]
            lazy = lazy.with_columns(pl.col(odd).cast(pl.Float64, strict=False))
        column = "date" if "date" in schema else "timestamp_key"
        if start_day is not None:
            lazy = lazy.filter(pl.col(column) >= pl.lit(start_day).cast(schema[column]))
        if end_day is not None:
            lazy = lazy.filter(pl.col(column) < pl.lit(end_day).cast(schema[column]))
        return lazy

    def rows_by_day(self, name: str, start_day: date | None = None, end_day: date | None = None) -> dict[date, int]:
        """Rows of each day that holds any, in order of days."""
        lazy = self._scan(name, start_day, end_day)
        if lazy is not None:
            held = lazy.collect_schema().names()
            day = pl.col("date") if "date" in held else pl.col("timestamp_key").dt.date().alias("date")
            return dict(lazy.select(day).group_by("date").len().sort("date").collect().iter_rows())
        self._must_exist(name)
        day = f"CAST(`{self._day_column(name)[0]}` AS DATE) AS date"
        counts = self.tables.rows(name, [day], self._condition(name, start_day, end_day), counted=True)
        return dict(counts.sort("date").iter_rows())

    def span(self, name: str, column: str) -> tuple[int, Any, Any]:
        """Number of rows, and the lowest and highest value of a column, null where there is none."""
        lazy = self._scan(name, None, None)
        if lazy is not None:
            low, high = pl.col(column).min().alias("first"), pl.col(column).max().alias("last")
            return lazy.select(pl.len(), low, high).collect().row(0)
        self._must_exist(name)
        select = ["count(*) AS n", f"min(`{column}`) AS first", f"max(`{column}`) AS last"]
        return self.tables.rows(name, select, "true").row(0)

    def days(self, name: str) -> list[date]:
        """Days that hold rows, in order."""
        return list(self.rows_by_day(name))

    # -- writing -------------------------------------------------------------------------------------------------------

    def ensure(self, table: Table) -> None:
        """Create the table, or add the columns it lacks. Existing columns and rows are never changed.

        Raises TableError when a column has another type or the table was made with other fixed properties
        (such as the grid step).
        """
        if not self.exists(table.name):
            self.tables.create(table)
            return
        have = self.tables.columns(table.name)
        problems = [
            f"column {c.name} is {have[c.name]}, not {c.type}"
            for c in table.columns
            if c.name in have and not same_type(have[c.name], c.type)
        ]
        found = self.tables.properties(table.name)
        problems += [
            f"it was made with {key} = {found[key]}, not {value}"
            for key, value in table.properties
            if found.get(key, value) != value
        ]
        if problems:
            raise TableError(
                f"Table {table.name} at {self.uri(table.name)} does not fit: " + "; ".join(problems),
                "Use the settings it was made with, or make it anew with these: hydro run --rebuild",
            )
        missing = [c for c in table.columns if c.name not in have]
        if missing:
            self.tables.add_columns(table.name, missing)

    def replace_days(
        self,
        table: Table,
        frame: DataFrame | pl.DataFrame,
        start_day: date,
        end_day: date,
        facts: Mapping[str, Any] | None = None,
    ) -> WriteReceipt:
        """Make `frame` the content of the days `[start_day, end_day)`; other days are untouched. One commit."""
        if not start_day < end_day:
            raise ValueError(f"an empty range of days: [{start_day}, {end_day})")
        self.ensure(table)
        days = Days(table.partition_by or "date", start_day, end_day)
        conformed = conform(self.tables.columns(table.name), table, frame)
        commit(lambda: self.tables.overwrite(conformed, table.name, days, note(facts)))
        return self._receipt(table, start_day, end_day)

    def append(self, table: Table, frame: pl.DataFrame, facts: Mapping[str, Any] | None = None) -> WriteReceipt:
        """Add rows: in a folder in one commit, in a catalog in commits of a bounded size."""
        self.ensure(table)
        conformed = conform_polars(self.tables.columns(table.name), table, frame)
        commit(lambda: self.tables.append(conformed, table.name, note(facts)))
        if table.partition_by is None or frame.is_empty():
            return WriteReceipt(table.name, self.uri(table.name), self.tables.version(table.name), {})
        days = frame[table.partition_by]
        return self._receipt(table, days.min(), days.max() + timedelta(days=1))  # type: ignore[operator,arg-type]

    def overwrite(self, table: Table, frame: pl.DataFrame, facts: Mapping[str, Any] | None = None) -> WriteReceipt:
        """Make `frame` the whole content of a small table without partitions. One commit."""
        self.ensure(table)
        conformed = conform_polars(self.tables.columns(table.name), table, frame)
        commit(lambda: self.tables.overwrite(conformed, table.name, None, note(facts)))
        return WriteReceipt(table.name, self.uri(table.name), self.tables.version(table.name), {})

    def drop_derived(self, name: str) -> None:
        """Remove a table that can be made again from Gold; nothing happens where there is none."""
        if name in IRREPLACEABLE:
            raise ValueError(f"{name} is not derived from anything here")
        self.tables.drop(name)

    def repair(self, name: str) -> str:
        """Take out of a table what a power cut tore; returns what was done. A table that can be made again is removed.

        Raises TableError when there is no such table in a local folder.
        """
        uri = self.uri(name)
        if not Path(uri, "_delta_log").is_dir():
            raise TableError(f"There is no table {name} in a folder here ({uri})", "Name one that `hydro verify` lists")
        found, told = damage(uri), list[str]()
        if found and name not in IRREPLACEABLE:
            self.tables.drop(name)
            return f"{name} was damaged ({found}) and is removed. Next: hydro run"
        while found:
            set_aside(uri, found)
            told.append(str(found))
            found = damage(uri)
        if not told:
            return f"{name} is whole: nothing was changed"
        return f"{name} goes on without what was torn: {'; '.join(told)} (kept beside as *.torn)"

    # -- inside --------------------------------------------------------------------------------------------------------

    def _must_exist(self, name: str) -> None:
        if not self.exists(name):
            remedy = (
                "Import readings first: hydro import --csv FILE, or hydro demo"
                if name.startswith("gold.")
                else "Materialise it first: hydro run, or the asset of that name in the Dagster UI"
            )
            raise TableError(f"Table {self.settings.table(name)} does not exist at {self.uri(name)}", remedy)
        if name == names.IOT_DATA and isinstance(self.tables, PathTables):
            _ = self._gold_columns

    @cached_property
    def _gold_columns(self) -> dict[str, str]:
        """Columns of Gold in a folder, once found to be readable; in a catalog each look would be a statement."""
        found = self.tables.columns(names.IOT_DATA)
        require_readable(found, self.settings.table(names.IOT_DATA))
        return found

    def _receipt(self, table: Table, start_day: date, end_day: date) -> WriteReceipt:
        by_day = {str(day): n for day, n in self.rows_by_day(table.name, start_day, end_day).items()}
        return WriteReceipt(table.name, self.uri(table.name), self.tables.version(table.name), by_day)
