"""The history of a table on Databricks, through a SQL warehouse: sensors run on a host that has no cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from hydro_assets.errors import SettingsError, TableError
from hydro_assets.lakehouse.delta_log import DAY, TIME, ChangeLog, Commit, LogReading, StorageLog, as_date, parsed_note
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.settings import Settings

# Operations of `DESCRIBE HISTORY` that rearrange files or settings but no rows.
_NO_DATA = frozenset(
    {
        "OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "FSCK", "CLUSTER BY", "COMPUTE STATS", "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES", "ADD COLUMNS", "CHANGE COLUMN", "RENAME COLUMN", "ADD CONSTRAINT", "DROP CONSTRAINT",
        "UPGRADE PROTOCOL", "CREATE TABLE", "SET NOT NULL", "DROP NOT NULL", "ADD CHECK CONSTRAINT",
    }
)  # fmt: skip


class Warehouse(Protocol):
    """Runs a SQL statement and returns its rows as text cells by column name; TableError when it fails."""

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]: ...


@dataclass(frozen=True)
class WarehouseLog:
    """The same answer through a SQL warehouse: table history, and the change data feed for the days.

    Without `delta.enableChangeDataFeed` on the table a commit's days are unknown, so every day counts as changed.
    """

    warehouse: Warehouse
    catalog: str

    def read(self, name: str, since: TableVersion | None) -> LogReading | None:
        full = f"{self.catalog}.{name}"
        schema, table = name.split(".")
        if not self.warehouse.rows(f"SHOW TABLES IN {self.catalog}.{schema} LIKE '{table}'"):
            return None
        table_id = str(self.warehouse.rows(f"DESCRIBE DETAIL {full}")[0]["id"])
        history = {int(str(r["version"])): r for r in self.warehouse.rows(f"DESCRIBE HISTORY {full}")}
        current = max(history)
        after = current
        known = since.version if since is not None and since.table_id == table_id else -1
        while after > known and after in history:
            after -= 1
        changing = [v for v in range(after + 1, current + 1) if history[v]["operation"] not in _NO_DATA]
        days = self._days_by_version(full, changing)
        commits = tuple(
            Commit(
                v, days.get(v, frozenset()) if days is not None else None, parsed_note(history[v].get("userMetadata"))
            )
            for v in changing
        )
        return LogReading(TableVersion(table_id, current), self._days_now(full), after, commits)

    def _days_by_version(self, full: str, versions: Sequence[int]) -> dict[int, frozenset[date]] | None:
        if not versions or not self._has_change_feed(full):
            return None
        feed = f"table_changes('{full}', {versions[0]}, {versions[-1]})"
        try:
            rows = self.warehouse.rows(f"SELECT DISTINCT _commit_version, {self._day(full)} AS day FROM {feed}")
        except TableError:  # the feed was switched on later than the first of these versions
            return None
        found: dict[int, set[date]] = {}
        for row in rows:
            if row["day"] is not None:
                found.setdefault(int(str(row["_commit_version"])), set()).add(as_date(row["day"]))
        return {v: frozenset(days) for v, days in found.items()}

    def _has_change_feed(self, full: str) -> bool:
        properties = self.warehouse.rows(f"SHOW TBLPROPERTIES {full}")
        return {"key": "delta.enableChangeDataFeed", "value": "true"} in [dict(p) for p in properties]

    def _day(self, full: str) -> str:
        columns = {r["col_name"] for r in self.warehouse.rows(f"DESCRIBE TABLE {full}")}
        return DAY if DAY in columns else f"CAST({TIME} AS DATE)"

    def _days_now(self, full: str) -> frozenset[date]:
        rows = self.warehouse.rows(f"SELECT DISTINCT {self._day(full)} AS day FROM {full}")
        return frozenset(as_date(r["day"]) for r in rows if r["day"] is not None)


@dataclass(frozen=True)
class DatabricksWarehouse:
    """A SQL warehouse through the statement execution API. `client`: a `databricks.sdk.WorkspaceClient`."""

    client: Any
    warehouse_id: str

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        api = self.client.statement_execution
        done = api.execute_statement(statement, self.warehouse_id, wait_timeout="50s")
        state = done.status.state.value
        if state != "SUCCEEDED":
            reason = done.status.error.message if done.status.error else f"it was still {state} after 50 s"
            raise TableError(f"SQL warehouse {self.warehouse_id} did not answer `{statement}`: {reason}",
                             "Check that the warehouse runs and that this principal may read the table")  # fmt: skip
        names = [c.name for c in done.manifest.schema.columns]
        rows, chunk = [], done.result
        while chunk is not None:
            rows += [dict(zip(names, row, strict=True)) for row in chunk.data_array or []]
            following = chunk.next_chunk_index
            chunk = None if following is None else api.get_statement_result_chunk_n(done.statement_id, following)
        return rows


def change_log(settings: Settings) -> ChangeLog:
    """The reader for where the farm's tables lie: their folders, or the SQL warehouse of a catalog."""
    if settings.table_root is not None:
        return StorageLog(settings.table_root, settings.catalog)
    if settings.sql_warehouse_id is None:
        raise SettingsError(
            "Gold lies in Unity Catalog, and no SQL warehouse is named through which its history could be read",
            "Set HYDRO_SQL_WAREHOUSE_ID (SQL warehouses > the warehouse > Overview > ID)",
        )
    from databricks.sdk import WorkspaceClient

    return WarehouseLog(DatabricksWarehouse(WorkspaceClient(), settings.sql_warehouse_id), settings.catalog)
