"""Tables of a catalog where there is no Spark: a host that launches its steps reads them through a SQL warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.lakehouse.catalog_tables import CatalogTables
from hydro_assets.lakehouse.sql_warehouse import Warehouse, is_absence
from hydro_assets.lakehouse.tables import TableVersion


@dataclass(frozen=True)
class WarehouseTables(CatalogTables):
    """`CatalogTables` whose reading verbs need no session; to write, `session` is asked, and says why there is none."""

    warehouse: Warehouse

    def exists(self, name: str) -> bool:
        try:
            return bool(self.columns(name))
        except TableError as error:
            if is_absence(error):
                return False
            raise

    def columns(self, name: str) -> dict[str, str]:
        columns: dict[str, str] = {}
        for row in self.warehouse.rows(f"DESCRIBE TABLE {self.uri(name)}"):
            column = str(row["col_name"] or "")
            if not column or column.startswith("#"):  # the columns again, told as partitions
                break
            columns[column] = str(row["data_type"])
        return columns

    def version(self, name: str) -> TableVersion:
        (detail,) = self.warehouse.rows(f"DESCRIBE DETAIL {self.uri(name)}")
        (newest,) = self.warehouse.rows(f"DESCRIBE HISTORY {self.uri(name)} LIMIT 1")
        return TableVersion(str(detail["id"]), int(str(newest["version"])))

    def rows(self, name: str, select: Sequence[str], where: str, counted: bool = False) -> pl.DataFrame:
        listed = ", ".join(select)
        every, grouped = (", count(*) AS count", " GROUP BY ALL") if counted else ("", "")
        return self.warehouse.frame(f"SELECT {listed}{every} FROM {self.uri(name)} WHERE {where}{grouped}")
