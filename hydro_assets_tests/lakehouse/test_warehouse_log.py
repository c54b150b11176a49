from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse.delta_log import LogReading
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.lakehouse.warehouse_log import DatabricksWarehouse, WarehouseLog

NAME = "gold.iot_data"


class FakeWarehouse:
    """Answers the statements of WarehouseLog for one table: version -> (operation, days)."""

    def __init__(self, commits: Mapping[int, tuple[str, list[str]]], feed: bool = True, columns: str = "date") -> None:
        self.commits, self.feed, self.columns = commits, feed, columns
        self.asked: list[str] = []

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        self.asked.append(statement)
        if statement.startswith("SHOW TABLES"):
            return [{"tableName": "iot_data"}] if self.commits else []
        if statement.startswith("DESCRIBE DETAIL"):
            return [{"id": "t1"}]
        if statement.startswith("DESCRIBE HISTORY"):
            note = json.dumps({"gold_version": 3})
            return [{"version": str(v), "operation": op, "userMetadata": note} for v, (op, _) in self.commits.items()]
        if statement.startswith("SHOW TBLPROPERTIES"):
            return [{"key": "delta.enableChangeDataFeed", "value": "true"}] if self.feed else []
        if statement.startswith("DESCRIBE TABLE"):
            return [{"col_name": self.columns}]
        if "table_changes" in statement:
            return [{"_commit_version": str(v), "day": d} for v, (_, days) in self.commits.items() for d in days]
        return [{"day": d} for d in sorted({d for _, days in self.commits.values() for d in days})]


HISTORY = {
    0: ("CREATE TABLE", []),
    1: ("WRITE", ["2026-01-01", "2026-01-02"]),
    2: ("OPTIMIZE", []),
    3: ("MERGE", ["2026-01-02"]),
}


def read(fake: FakeWarehouse, since: TableVersion | None = None) -> LogReading:
    reading = WarehouseLog(fake, "hydroponics").read(NAME, since)
    assert reading is not None
    return reading


def days(reading: LogReading) -> dict[int, set[int] | None]:
    return {c.version: None if c.days is None else {d.day for d in c.days} for c in reading.commits}


def test_read__no_table_is_none() -> None:
    assert WarehouseLog(FakeWarehouse({}), "hydroponics").read(NAME, None) is None


def test_read__tells_days_by_the_change_feed_and_skips_maintenance() -> None:
    reading = read(FakeWarehouse(HISTORY))
    assert days(reading) == {1: {1, 2}, 3: {2}}
    assert reading.table == TableVersion("t1", 3)
    assert reading.days == {date(2026, 1, 1), date(2026, 1, 2)}
    assert dict(reading.commits[0].note) == {"gold_version": 3}


def test_read__since_a_version_tells_only_what_came_after() -> None:
    assert days(read(FakeWarehouse(HISTORY), TableVersion("t1", 1))) == {3: {2}}


def test_read__only_maintenance_since_then_asks_for_no_changes() -> None:
    fake = FakeWarehouse({v: HISTORY[v] for v in (0, 1, 2)})
    assert days(read(fake, TableVersion("t1", 1))) == {}
    assert not any("table_changes" in s for s in fake.asked)


def test_read__without_change_feed_every_day_counts() -> None:
    assert days(read(FakeWarehouse(HISTORY, feed=False))) == {1: None, 3: None}


def test_read__history_that_was_vacuumed_away_is_a_gap() -> None:
    assert read(FakeWarehouse({v: HISTORY[v] for v in (2, 3)})).after == 1


def test_read__another_table_id_reads_from_the_start() -> None:
    assert days(read(FakeWarehouse(HISTORY), TableVersion("old", 3))) == {1: {1, 2}, 3: {2}}


def test_read__a_table_without_date_column_is_asked_by_its_timestamp() -> None:
    fake = FakeWarehouse(HISTORY, columns="timestamp_key")
    read(fake)
    assert any("CAST(timestamp_key AS DATE)" in s for s in fake.asked if "table_changes" in s)


def test_rows__joins_chunks_and_names_cells() -> None:
    class Api:
        def execute_statement(self, statement: str, warehouse_id: str, wait_timeout: str) -> Any:
            columns = [SimpleNamespace(name="a"), SimpleNamespace(name="b")]
            return SimpleNamespace(
                statement_id="s",
                status=SimpleNamespace(state=SimpleNamespace(value="SUCCEEDED"), error=None),
                manifest=SimpleNamespace(schema=SimpleNamespace(columns=columns)),
                result=SimpleNamespace(data_array=[["1", None]], next_chunk_index=1),
            )

        def get_statement_result_chunk_n(self, statement_id: str, chunk_index: int) -> Any:
            return SimpleNamespace(data_array=[["2", "x"]], next_chunk_index=None)

    rows = DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1")
    assert rows == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]


def test_rows__a_failed_statement_says_why() -> None:
    class Api:
        def execute_statement(self, statement: str, warehouse_id: str, wait_timeout: str) -> Any:
            error = SimpleNamespace(message="no such schema")
            return SimpleNamespace(status=SimpleNamespace(state=SimpleNamespace(value="FAILED"), error=error))

    with pytest.raises(TableError, match="no such schema"):
        DatabricksWarehouse(SimpleNamespace(statement_execution=Api()), "w").rows("SELECT 1")
