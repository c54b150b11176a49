"""The history of a table on Databricks, through a SQL warehouse: sensors run on a host that has no cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hydro_assets.errors import SettingsError, TableError
from hydro_assets.lakehouse.delta_log import DAY, TIME, ChangeLog, Commit, LogReading, StorageLog, as_date, parsed_note
from hydro_assets.lakehouse.sql_warehouse import Warehouse, databricks_warehouse, is_absence
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


_SPAN = {"start_day", "end_day"}  # in the notes of our own commits


@dataclass(frozen=True)
class WarehouseLog:
    """The same answer through a SQL warehouse. Where nothing changed, it takes two statements that read no data.

    The days of a commit come from the change data feed, or, on tables without one, from the data files before and after
    it: a day changed where its files, or the rows that each holds, did.
    """

    warehouse: Warehouse
    full_name: Callable[[str], str]  # `gold.iot_data` -> `hydroponics.gold.iot_data`

    def read(self, name: str, since: TableVersion | None) -> LogReading | None:
        full = self.full_name(name)
        table_id = self._table_id(full)
        if table_id is None:
            return None
        known = since.version if since is not None and since.table_id == table_id else -1
        if known >= 0 and self._history(full, 1).keys() == {known}:
            return LogReading(TableVersion(table_id, known), None, known, ())
        history = self._history(full)
        current = max(history)
        after = current
        while after > known and after in history:
            after -= 1
        changing = [v for v in range(after + 1, current + 1) if history[v]["operation"] not in _NO_DATA]
        day = self._day(full)
        notes = {v: parsed_note(history[v].get("userMetadata")) for v in changing}
        silent = [v for v in changing if not notes[v].keys() >= _SPAN]
        days = {v: _noted_days(notes[v]) for v in changing if v not in silent}
        days |= self._days_by_version(full, day, silent)
        commits = tuple(Commit(v, days[v], notes[v]) for v in changing)
        return LogReading(TableVersion(table_id, current), self._days_now(full, day), after, commits)

    def _table_id(self, full: str) -> str | None:
        try:
            return str(self.warehouse.rows(f"DESCRIBE DETAIL {full}")[0]["id"])
        except TableError as error:
            if is_absence(error):
                return None
            raise

    def _history(self, full: str, newest: int | None = None) -> dict[int, Mapping[str, str | None]]:
        limit = "" if newest is None else f" LIMIT {newest}"
        return {int(str(row["version"])): row for row in self.warehouse.rows(f"DESCRIBE HISTORY {full}{limit}")}

    def _days_by_version(self, full: str, day: str, versions: Sequence[int]) -> dict[int, frozenset[date] | None]:
        """Days that each version changed; None where neither the feed nor the files tell."""
        found: dict[int, frozenset[date] | None] = dict.fromkeys(versions)
        if not versions:
            return found
        try:
            if self._has_change_feed(full):
                return found | self._days_of_feed(full, day, versions)
        except TableError:  # the feed was switched on later than the first of these versions
            pass
        for first, last in _runs(versions):
            # The days of a run are told of its last commit. The others of the run then have none of their own.
            with suppress(TableError):  # files of the older version are vacuumed away: nobody can tell
                found |= dict.fromkeys(range(first, last), frozenset()) | {
                    last: self._days_of_files(full, day, first, last)
                }
        return found

    def _days_of_feed(self, full: str, day: str, versions: Sequence[int]) -> dict[int, frozenset[date]]:
        feed = f"table_changes('{full}', {versions[0]}, {versions[-1]})"
        rows = self.warehouse.rows(f"SELECT DISTINCT _commit_version, {day} AS day FROM {feed}")
        found: dict[int, set[date]] = {version: set() for version in versions}
        for row in rows:
            if row["day"] is not None:
                found.setdefault(int(str(row["_commit_version"])), set()).add(as_date(row["day"]))
        return {version: frozenset(days) for version, days in found.items()}

    def _days_of_files(self, full: str, day: str, first: int, last: int) -> frozenset[date]:
        """Days whose files differ between the versions before `first` and at `last`.

        Rows are counted too, as a deletion vector takes rows out of a file that stays.
        """
        before, after = (
            f"SELECT {day} AS day, _metadata.file_path AS file, count(*) AS n FROM {full} VERSION AS OF {version} "
            "GROUP BY ALL"
            for version in (first - 1, last)
        )
        if first == 0:
            statement = f"SELECT DISTINCT day FROM ({after})"
        else:
            both = f"(({before}) EXCEPT ({after})) UNION (({after}) EXCEPT ({before}))"
            statement = f"SELECT DISTINCT day FROM ({both})"
        return frozenset(as_date(row["day"]) for row in self.warehouse.rows(statement) if row["day"] is not None)

    def _has_change_feed(self, full: str) -> bool:
        properties = self.warehouse.rows(f"SHOW TBLPROPERTIES {full}")
        return {"key": "delta.enableChangeDataFeed", "value": "true"} in [dict(p) for p in properties]

    def _day(self, full: str) -> str:
        columns = {r["col_name"] for r in self.warehouse.rows(f"DESCRIBE TABLE {full}")}
        return DAY if DAY in columns else f"CAST({TIME} AS DATE)"

    def _days_now(self, full: str, day: str) -> frozenset[date]:
        rows = self.warehouse.rows(f"SELECT DISTINCT {day} AS day FROM {full}")
        return frozenset(as_date(r["day"]) for r in rows if r["day"] is not None)


def _noted_days(note: Mapping[str, Any]) -> frozenset[date]:
    start, end = (date.fromisoformat(str(note[key])) for key in ("start_day", "end_day"))
    return frozenset(start + timedelta(days=i) for i in range((end - start).days))


def _runs(versions: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive versions as (first, last): maintenance between two runs rewrites files without changing rows."""
    runs: list[tuple[int, int]] = []
    for version in versions:
        if runs and runs[-1][1] == version - 1:
            runs[-1] = (runs[-1][0], version)
        else:
            runs.append((version, version))
    return runs


def change_log(settings: Settings) -> ChangeLog:
    """The reader for where the farm's tables lie: their folders, or the SQL warehouse of a catalog."""
    if settings.table_root is not None:
        return StorageLog(settings.table_root, settings.table)
    if settings.sql_warehouse_id is None:
        raise SettingsError(
            "Gold lies in Unity Catalog, and no SQL warehouse is named through which its history could be read",
            "Set HYDRO_SQL_WAREHOUSE_ID (SQL warehouses > the warehouse > Overview > ID)",
        )
    return WarehouseLog(databricks_warehouse(settings.sql_warehouse_id), settings.table)
