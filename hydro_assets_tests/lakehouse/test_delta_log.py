from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from hydro_assets.lakehouse.delta_log import LogReading, StorageLog
from hydro_assets.lakehouse.tables import TableVersion

NAME = "gold.iot_data"


def day(n: int) -> date:
    return date(2026, 1, n)


@pytest.fixture
def log(tmp_path: Path) -> StorageLog:
    return StorageLog(str(tmp_path), "farm.{}".format)


def uri(log: StorageLog) -> str:
    return log.uri(NAME)


def write(log: StorageLog, *days: int, partitioned: bool = True, mode: str = "append", **options: object) -> None:
    stamps = [datetime(2026, 1, n, 12, tzinfo=UTC) for n in days]
    frame = pl.DataFrame({"timestamp_key": stamps, "ph_level": [6.0] * len(days), "date": [day(n) for n in days]})
    Path(uri(log)).parent.mkdir(parents=True, exist_ok=True)
    by = ["date"] if partitioned else None
    rows = frame if partitioned else frame.drop("date")
    write_deltalake(uri(log), rows.to_arrow(), mode=mode, partition_by=by, **options)  # type: ignore[arg-type]


def read(log: StorageLog, since: TableVersion | None = None) -> LogReading:
    reading = log.read(NAME, since)
    assert reading is not None
    return reading


def touched(reading: LogReading) -> dict[int, set[int] | None]:
    return {c.version: None if c.days is None else {d.day for d in c.days} for c in reading.commits}


def test_read__no_table_is_none(log: StorageLog) -> None:
    assert log.read(NAME, None) is None


@pytest.mark.parametrize("partitioned", [True, False], ids=["partition value", "statistics"])
def test_read__tells_the_days_of_every_commit(log: StorageLog, partitioned: bool) -> None:
    write(log, 1, 2, partitioned=partitioned)
    write(log, 4, partitioned=partitioned)
    reading = read(log)
    expected = {0: {1, 2}, 1: {4}}
    assert touched(reading) == expected
    assert (reading.after, reading.table.version) == (-1, 1)
    assert reading.days >= {day(1), day(2), day(4)}


def test_read__since_a_version_tells_only_what_came_after(log: StorageLog) -> None:
    write(log, 1)
    before = read(log).table
    write(log, 2)
    assert touched(read(log, before)) == {1: {2}}
    assert touched(read(log, read(log).table)) == {}


def test_read__a_rewritten_day_is_touched_once(log: StorageLog) -> None:
    write(log, 1, 2)
    write(log, 2, mode="overwrite", predicate="date = '2026-01-02'")
    assert touched(read(log))[1] == {2}


def test_read__a_deleted_day_is_touched_and_holds_no_rows(log: StorageLog) -> None:
    write(log, 1, 2)
    DeltaTable(uri(log)).delete("date = '2026-01-02'")
    reading = read(log)
    assert touched(reading)[1] == {2}
    assert reading.days == {day(1)}


def test_read__rearranged_files_touch_no_day(log: StorageLog) -> None:
    write(log, 1)
    write(log, 1)
    DeltaTable(uri(log)).optimize.compact()
    reading = read(log)
    assert reading.table.version == 2
    assert touched(reading) == {0: {1}, 1: {1}}


def test_read__rows_removed_from_an_unpartitioned_table_are_found_by_the_file_they_lay_in(log: StorageLog) -> None:
    write(log, 3, partitioned=False)
    before = read(log).table
    DeltaTable(uri(log)).delete()
    assert touched(read(log, before)) == {1: {3}}


def test_read__a_recreated_table_is_another(log: StorageLog) -> None:
    write(log, 1)
    write(log, 2)
    before = read(log).table
    shutil.rmtree(uri(log))
    write(log, 5)
    reading = read(log, before)
    assert reading.table.table_id != before.table_id
    assert touched(reading) == {0: {5}}


def test_read__a_cleaned_log_says_from_where_it_can_tell(log: StorageLog) -> None:
    for n in (1, 2, 3, 4):
        write(log, n)
    before = TableVersion(read(log).table.table_id, 0)
    DeltaTable(uri(log)).create_checkpoint()
    for version in (0, 1):
        Path(uri(log), "_delta_log", f"{version:020d}.json").unlink()
    reading = read(log, before)
    assert reading.after == 1
    assert touched(reading) == {2: {3}, 3: {4}}
    assert reading.days == {day(1), day(2), day(3), day(4)}


def test_read__a_commit_of_no_known_day_is_told_as_unknown(log: StorageLog) -> None:
    write(log, 3, partitioned=False)
    path = Path(uri(log), "_delta_log", f"{0:020d}.json")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["stats"] = None
    path.write_text("\n".join(map(json.dumps, lines)))
    assert touched(read(log)) == {0: None}


def test_read__brings_the_note_of_the_commit(log: StorageLog) -> None:
    note = json.dumps({"gold_version": 7})
    write(log, 1, commit_properties=CommitProperties(custom_metadata={"userMetadata": note}))
    assert dict(read(log).commits[0].note) == {"gold_version": 7}


def test_read__keeps_up_with_a_year_of_days(log: StorageLog) -> None:
    stamps = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=i) for i in range(400)]
    frame = pl.DataFrame({"timestamp_key": stamps, "date": [s.date() for s in stamps]})
    Path(uri(log)).parent.mkdir(parents=True)
    write_deltalake(uri(log), frame.to_arrow(), partition_by=["date"])
    assert len(read(log).days) == 400
