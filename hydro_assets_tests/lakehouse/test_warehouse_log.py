from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pytest

from hydro_assets.errors import TableError
from hydro_assets.features.staleness import ChangedDays
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.delta_log import LogReading
from hydro_assets.lakehouse.sql_warehouse import SparkStatements
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.lakehouse.warehouse_log import WarehouseLog
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.spark_server import SparkServer

NAME = "gold.iot_data"


class FakeWarehouse:
    """Answers the statements of WarehouseLog for one table: version -> (operation, days)."""

    def __init__(self, commits: Mapping[int, tuple[str, list[str]]], feed: bool = True, columns: str = "date") -> None:
        self.commits, self.feed, self.columns = commits, feed, columns
        self.asked: list[str] = []

    def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
        self.asked.append(statement)
        if statement.startswith("DESCRIBE DETAIL"):
            if not self.commits:
                raise TableError("[TABLE_OR_VIEW_NOT_FOUND] The table or view cannot be found", "Look for it")
            return [{"id": "t1"}]
        if statement.startswith("DESCRIBE HISTORY"):
            newest = [max(self.commits)] if statement.endswith("LIMIT 1") else list(self.commits)
            note = json.dumps({"gold_version": 3})
            return [{"version": str(v), "operation": self.commits[v][0], "userMetadata": note} for v in newest]
        if statement.startswith("SHOW TBLPROPERTIES"):
            return [{"key": "delta.enableChangeDataFeed", "value": "true"}] if self.feed else []
        if statement.startswith("DESCRIBE TABLE"):
            return [{"col_name": self.columns}]
        if "table_changes" in statement:
            return [{"_commit_version": str(v), "day": d} for v, (_, days) in self.commits.items() for d in days]
        if "VERSION AS OF" in statement:
            first, *last = (int(v) for v in dict.fromkeys(re.findall(r"VERSION AS OF (\d+)", statement)))
            touched = range(first + 1, last[0] + 1) if last else range(first + 1)
            return [{"day": d} for d in sorted({d for v in touched for d in self.commits[v][1]})]
        return [{"day": d} for d in sorted({d for _, days in self.commits.values() for d in days})]


HISTORY = {
    0: ("CREATE TABLE", []),
    1: ("WRITE", ["2026-01-01", "2026-01-02"]),
    2: ("OPTIMIZE", []),
    3: ("MERGE", ["2026-01-02"]),
}


def read(fake: FakeWarehouse, since: TableVersion | None = None) -> LogReading:
    reading = WarehouseLog(fake, "hydroponics.{}".format).read(NAME, since)
    assert reading is not None
    return reading


def days(reading: LogReading) -> dict[int, set[int] | None]:
    return {c.version: None if c.days is None else {d.day for d in c.days} for c in reading.commits}


def test_read__no_table_is_none() -> None:
    assert WarehouseLog(FakeWarehouse({}), "hydroponics.{}".format).read(NAME, None) is None


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


def test_read__without_change_feed_the_files_tell_the_days() -> None:
    fake = FakeWarehouse(HISTORY, feed=False)
    assert days(read(fake)) == {1: {1, 2}, 3: {2}}
    compared = [re.findall(r"VERSION AS OF (\d+)", s) for s in fake.asked if "VERSION AS OF" in s]
    assert compared == [
        ["0", "1", "1", "0"],
        ["2", "3", "3", "2"],
    ]  # the files that OPTIMIZE rewrote are not among them


def test_read__files_that_were_vacuumed_away_leave_the_days_unknown() -> None:
    class Vacuumed(FakeWarehouse):
        def rows(self, statement: str) -> Sequence[Mapping[str, str | None]]:
            if "VERSION AS OF 0" in statement:
                raise TableError("[DELTA_FILE_NOT_FOUND]", "Time travel needs the files")
            return super().rows(statement)

    assert days(read(Vacuumed(HISTORY, feed=False))) == {1: None, 3: {2}}


def test_read__where_nothing_changed_two_statements_that_read_no_data() -> None:
    fake = FakeWarehouse(HISTORY)
    before = read(fake)
    fake.asked.clear()
    quiet = read(fake, before.table)
    assert [statement.split(" hydroponics")[0] for statement in fake.asked] == ["DESCRIBE DETAIL", "DESCRIBE HISTORY"]
    assert (quiet.table, quiet.days, quiet.commits) == (before.table, None, ())
    known = ChangedDays().advance(before)
    assert known.advance(quiet) == known


def test_read__history_that_was_vacuumed_away_is_a_gap() -> None:
    assert read(FakeWarehouse({v: HISTORY[v] for v in (2, 3)})).after == 1


def test_read__another_table_id_reads_from_the_start() -> None:
    assert days(read(FakeWarehouse(HISTORY), TableVersion("old", 3))) == {1: {1, 2}, 3: {2}}


def test_read__a_table_without_date_column_is_asked_by_its_timestamp() -> None:
    fake = FakeWarehouse(HISTORY, columns="timestamp_key")
    read(fake)
    assert any("CAST(timestamp_key AS DATE)" in s for s in fake.asked if "table_changes" in s)


@pytest.mark.jvm
def test_read__tells_a_real_delta_tables_days_by_its_files(
    jvm: SparkServer, make_settings: Callable[..., Settings]
) -> None:
    spark = Lakehouse(make_settings(environment="spark", spark_remote=jvm.remote)).spark
    name = "watched.readings"
    spark.sql("CREATE SCHEMA IF NOT EXISTS spark_catalog.watched")
    spark.sql(
        f"CREATE TABLE spark_catalog.{name} (ph_level DOUBLE, date DATE) USING delta "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    for day in (1, 2):
        spark.sql(f"INSERT INTO spark_catalog.{name} VALUES (6.0, DATE'2026-01-0{day}'), (7.0, DATE'2026-01-0{day}')")
    log = WarehouseLog(SparkStatements(spark), "spark_catalog.{}".format)
    before = log.read(name, None)
    assert before is not None
    assert before.days == {date(2026, 1, 1), date(2026, 1, 2)}
    assert days(before)[2] == {1, 2}
    spark.sql(f"OPTIMIZE spark_catalog.{name}")
    spark.sql(f"DELETE FROM spark_catalog.{name} WHERE ph_level = 7.0 AND date = DATE'2026-01-02'")
    spark.sql(f"INSERT INTO spark_catalog.{name} VALUES (6.0, DATE'2026-01-03')")
    after = log.read(name, before.table)
    assert after is not None
    assert days(after) == {4: set(), 5: {2, 3}}
    assert log.read(name, after.table) == LogReading(after.table, None, after.table.version, ())
