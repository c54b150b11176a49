"""What changed in a Delta table, day by day, without Spark: from its log on storage (here) or a SQL warehouse.

Every reader answers one question: which days did the commits after a known version touch? Commits that only rearrange
files (OPTIMIZE, Z-ORDER, VACUUM, checkpoints; `dataChange` false) touch none. Where the log no longer tells (cleaned
up, or table dropped and created again) the answer is not complete and every day must be taken as changed.
Delta log: https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import unquote

import polars as pl

from hydro_assets.lakehouse.durability import require_whole
from hydro_assets.lakehouse.folders import file_system, scan
from hydro_assets.lakehouse.tables import TableVersion, open_delta

DAY = "date"
TIME = "timestamp_key"


@dataclass(frozen=True)
class Commit:
    """One commit that changed data. `days` is None where the log does not tell which; `note` is its userMetadata."""

    version: int
    days: frozenset[date] | None
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LogReading:
    """Commits after `after`, oldest first, up to `table`. `days` are the days that hold rows now.

    `days` is None where a reader knows without asking that they are those of the version that it was asked for.

    `after` is later than the version asked for when older commits can no longer be read, and -1 when all are there.
    """

    table: TableVersion
    days: frozenset[date] | None
    after: int
    commits: tuple[Commit, ...]


class ChangeLog(Protocol):
    """Reads the history of tables."""

    def read(self, name: str, since: TableVersion | None) -> LogReading | None:
        """History of `name` after `since` (None: as far back as it goes); None when there is no such table."""
        ...


@dataclass(frozen=True)
class StorageLog:
    """Delta logs in folders or object stores: `root/catalog/schema/table/_delta_log`."""

    root: str
    full_name: Callable[[str], str]  # `gold.iot_data` -> `hydroponics.gold.iot_data`

    def uri(self, name: str) -> str:
        return "/".join([self.root.rstrip("/"), *self.full_name(name).split(".")])

    def read(self, name: str, since: TableVersion | None) -> LogReading | None:
        from deltalake import DeltaTable

        uri = self.uri(name)
        if not DeltaTable.is_deltatable(uri):
            return None
        require_whole(uri, name)
        table = open_delta(uri)
        version = TableVersion(str(table.metadata().id), table.version())
        known = since.version if since is not None and since.table_id == version.table_id else -1
        files = _LogFiles(uri, version.version)
        after = files.readable_after(known)
        commits = [c for v in range(after + 1, version.version + 1) if (c := files.commit(v)) is not None]
        return LogReading(version, _days_now(table, uri), after, tuple(commits))

    def days(self, name: str) -> frozenset[date]:
        """The days that hold rows now; none when there is no such table."""
        from deltalake import DeltaTable

        uri = self.uri(name)
        return _days_now(open_delta(uri), uri) if DeltaTable.is_deltatable(uri) else frozenset()


def _days_now(table: Any, uri: str) -> frozenset[date]:
    actions = table.get_add_actions(flatten=True)
    names = [f.name for f in actions.schema]
    if f"partition.{DAY}" in names:
        return frozenset(as_date(v) for v in actions[f"partition.{DAY}"].to_pylist() if v is not None)
    no_statistics = [None] * len(actions)
    lows, highs = (actions[n].to_pylist() if n in names else no_statistics for n in (f"min.{TIME}", f"max.{TIME}"))
    if TIME not in {f.name for f in table.schema().fields}:  # a table without days
        return frozenset()
    if None in lows:  # another writer may keep no statistics of a file: its rows tell
        found = scan(table, uri).select(pl.col(TIME).dt.date()).unique().collect().to_series().drop_nulls()
        return frozenset(found)
    days: set[date] = set()
    for low, high in zip(lows, highs, strict=True):
        days |= _between(as_date(low), as_date(high)) if low is not None and high is not None else set()
    return frozenset(days)


class _LogFiles:
    """The JSON commits of one table."""

    def __init__(self, uri: str, current: int) -> None:
        from pyarrow.fs import FileSelector

        self._files, path = file_system(uri)
        self._folder = f"{path}/_delta_log"
        names = [f.base_name for f in self._files.get_file_info(FileSelector(self._folder))]
        self._versions = {int(n[:20]) for n in names if len(n) == 25 and n.endswith(".json")}
        self._current = current

    def readable_after(self, known: int) -> int:
        """The earliest version, not before `known`, from which every later commit is there."""
        after = self._current
        while after > known and after in self._versions:
            after -= 1
        return after

    def commit(self, version: int) -> Commit | None:
        """The commit, or None when it changed no data."""
        days: set[date] | None = set()
        changed, note = False, {}
        for action in self._actions(version):
            if "commitInfo" in action:
                note = parsed_note(action["commitInfo"].get("userMetadata"))
            file = action.get("add") or action.get("remove")
            if file is None or not file.get("dataChange", True):
                continue
            changed = True
            touched = _days_of_file(file) or self._days_when_added.get(file["path"])
            days = None if touched is None or days is None else days | touched
        if not changed and "start_day" not in note:  # a write of nothing may still have settled its days
            return None
        return Commit(version, None if days is None else frozenset(days), note)

    @cached_property
    def _days_when_added(self) -> dict[str, set[date]]:
        # A `remove` carries no statistics: what the file held is told by the `add` that brought it.
        added = (a["add"] for v in sorted(self._versions) for a in self._actions(v) if "add" in a)
        return {file["path"]: days for file in added if (days := _days_of_file(file)) is not None}

    def _actions(self, version: int) -> Iterator[dict[str, Any]]:
        with self._files.open_input_stream(f"{self._folder}/{version:020d}.json") as stream:
            text = stream.read().decode("utf-8")
        return (json.loads(line) for line in text.splitlines() if line.strip())


def _days_of_file(file: Mapping[str, Any]) -> set[date] | None:
    """Days a data file holds: by its partition, else by the statistics of its timestamps; None when unknown."""
    values = file.get("partitionValues") or {}
    if values.get(DAY):
        return {as_date(values[DAY])}
    for part in unquote(file["path"]).split("/"):
        if part.startswith(f"{DAY}=") and not part.endswith("__HIVE_DEFAULT_PARTITION__"):
            return {as_date(part.removeprefix(f"{DAY}="))}
    stats = json.loads(file.get("stats") or "{}")
    low, high = stats.get("minValues", {}).get(TIME), stats.get("maxValues", {}).get(TIME)
    return None if low is None or high is None else _between(as_date(low), as_date(high))


def as_date(value: str | date | datetime) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


def _between(low: date, high: date) -> set[date]:
    return {low + timedelta(days=i) for i in range((high - low).days + 1)}


def parsed_note(text: str | None) -> dict[str, Any]:
    try:
        note = json.loads(text or "{}")
    except json.JSONDecodeError:  # other writers may put any text there
        return {}
    return note if isinstance(note, dict) else {}
