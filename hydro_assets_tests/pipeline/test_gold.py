from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hydro_assets.errors import DataContractError, HydroError, SourceFileError, TableError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.tidy_readings import tidy_readings
from hydro_assets.ingest.journal import entries, gold_lock
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.gold import (
    add_readings,
    forget_import,
    import_export,
    read_exports,
    require_fitting_grid,
)
from hydro_assets.pipeline.outdated import outdated_days
from hydro_assets.quality.gold_findings import day_findings
from hydro_assets.settings import Settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import sensor_features_table


def hourly(lakehouse: Lakehouse) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    add_readings(lakehouse, simulate(1, start, start + timedelta(days=3), 5, timedelta(hours=1)))


def test_require_fitting_grid__names_the_step_for_slow_readings(lakehouse: Lakehouse) -> None:
    hourly(lakehouse)
    with pytest.raises(DataContractError, match="every 1h.*--step 1h"):
        require_fitting_grid(lakehouse)
    assert not lakehouse.exists("feature_store.sensor_features")


def test_require_fitting_grid__accepts_a_grid_that_is_filled(
    lakehouse: Lakehouse, make_settings: Callable[..., Settings]
) -> None:
    hourly(lakehouse)
    require_fitting_grid(Lakehouse(make_settings(feature_step="1h")))


def test_require_fitting_grid__refuses_another_grid_than_the_table_has(
    lakehouse: Lakehouse, make_settings: Callable[..., Settings]
) -> None:
    hourly(lakehouse)
    lakehouse.ensure(sensor_features_table(timedelta(hours=1), ["ph_level"], []))
    with pytest.raises(TableError, match="feature_step = 1h, not 3h"):
        require_fitting_grid(Lakehouse(make_settings(feature_step="3h")))


NOW = datetime(2026, 3, 10, tzinfo=UTC)


def export(path: Path, ph: float = 6.0, minutes: int = 20, start: str = "2026-03-02 11", **cells: object) -> Path:
    header = ",".join(["timestamp", "pH", *cells])
    rows = [
        f"{start}:{minute:02d}:00,{ph},{','.join(map(str, cells.values()))}".rstrip(",") for minute in range(minutes)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def lakehouse(make_settings: Callable[..., Settings]) -> Lakehouse:
    return Lakehouse(make_settings(minimum_records=5))


def in_force(lakehouse: Lakehouse) -> list[float]:
    """pH that features would be built from, of every instant."""
    gold = lakehouse.read_polars("gold.iot_data")
    return tidy_readings(gold, FeatureSpec.for_farm(lakehouse.settings, gold.columns))["ph_level"].to_list()


def test_import__refuses_a_column_in_another_unit_before_anything_is_written(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    with pytest.raises(SourceFileError, match="20 of 20 cells of DHT_temp lie outside"):
        import_export(lakehouse, export(tmp_path / "farm.csv", DHT_temp=75.2), None, NOW)
    assert not lakehouse.exists("gold.iot_data")
    assert not lakehouse.exists("gold.imports")


def test_import__is_numbered_counted_and_judged_by_what_is_in_force(lakehouse: Lakehouse, tmp_path: Path) -> None:
    first = import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    again = import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    corrected = import_export(lakehouse, export(tmp_path / "a.csv", ph=6.5, minutes=5), None, NOW)
    assert [d.import_id for d in (first, again, corrected)] == [1, None, 2]
    assert str(again) == "all 20 readings are in Gold already, nothing changed"
    assert "20 readings in the file = 20 added + 0 already there + 0 merged + 0 left out" in str(first)
    assert any("5 readings differ from what Gold holds" in n for n in corrected.notes)
    assert in_force(lakehouse) == [6.5] * 5 + [6.0] * 15
    back = import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    assert (back.added, back.known) == (5, 15)
    assert in_force(lakehouse) == [6.0] * 20
    assert [(e.import_id, e.added) for e in entries(lakehouse)] == [(1, 20), (2, 5), (3, 5)]


def test_import__counts_after_an_earlier_one_though_the_clock_was_set_back(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    import_export(lakehouse, export(tmp_path / "b.csv", ph=6.5), None, NOW - timedelta(days=1))
    assert in_force(lakehouse) == [6.5] * 20


def test_import__of_another_sensor_at_the_same_instants_completes_them(lakehouse: Lakehouse, tmp_path: Path) -> None:
    import_export(lakehouse, export(tmp_path / "ph.csv"), None, NOW)
    (tmp_path / "rh.csv").write_text(
        "timestamp,humidity\n" + "".join(f"2026-03-02 11:{m:02d}:00,60\n" for m in range(20))
    )
    assert import_export(lakehouse, tmp_path / "rh.csv", None, NOW).added == 20
    gold = lakehouse.read_polars("gold.iot_data")
    tidy = tidy_readings(gold, FeatureSpec.for_farm(lakehouse.settings, gold.columns))
    assert tidy.select("ph_level", "air_humidity").rows() == [(6.0, 60.0)] * 20
    assert {f.name for f in day_findings(gold, date(2026, 3, 2)) if not f.passed} == {
        "tds_level_complete", "air_temperature_complete",
    }  # fmt: skip


def test_forget__takes_exactly_one_import_back(lakehouse: Lakehouse, tmp_path: Path) -> None:
    import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    import_export(lakehouse, export(tmp_path / "b.csv", ph=6.5, minutes=5), None, NOW)
    import_export(lakehouse, export(tmp_path / "c.csv", start="2026-03-04 11"), "north", NOW)
    entry, gone = forget_import(lakehouse, 2, NOW)
    assert (entry.source_file, gone) == ("b.csv", 5)
    assert in_force(lakehouse)[:20] == [6.0] * 20
    assert lakehouse.rows_by_day("gold.iot_data") == {date(2026, 3, 2): 20, date(2026, 3, 4): 20}
    forget_import(lakehouse, 3, NOW)
    assert lakehouse.rows_by_day("gold.iot_data") == {date(2026, 3, 2): 20}
    assert lakehouse.read_polars("gold.dim_time")["date"].unique().to_list() == [date(2026, 3, 2)]
    with pytest.raises(HydroError, match="taken back on 2026-03-10"):
        forget_import(lakehouse, 2, NOW)
    with pytest.raises(HydroError, match="no import 9; in force: 1"):
        forget_import(lakehouse, 9, NOW)
    assert import_export(lakehouse, export(tmp_path / "b.csv", ph=6.5, minutes=5), None, NOW).import_id == 4


def test_forget__leaves_no_feature_day_without_gold_and_nothing_to_build_for_it(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    import_export(lakehouse, export(tmp_path / "b.csv", start="2026-03-08 11"), None, NOW)
    build_sensor_features(lakehouse, date(2026, 3, 2), date(2026, 3, 9))
    forget_import(lakehouse, 2, NOW)
    assert lakehouse.days("feature_store.sensor_features") == [date(2026, 3, 2)]
    assert outdated_days(lakehouse).days == []


def test_import__replacing_takes_back_the_file_of_that_name_system_and_time(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    import_export(lakehouse, export(tmp_path / "a.csv"), None, NOW)
    import_export(lakehouse, export(tmp_path / "a.csv"), "north", NOW)
    import_export(lakehouse, export(tmp_path / "a.csv", start="2026-03-04 11"), None, NOW)
    told: list[str] = []
    shifted = export(tmp_path / "a.csv", start="2026-03-02 11", minutes=19, ph=6.2)
    done = import_export(lakehouse, shifted, None, NOW, replaces=True, report=told.append)
    assert (done.import_id, done.added) == (4, 19)
    assert told == ["import 1 of a.csv (2026-03-02 .. 2026-03-02) is taken back"]
    gold = lakehouse.read_polars("gold.iot_data").group_by("system_id", "date").len().sort("system_id", "date")
    assert gold["len"].to_list() == [20, 19, 20]


def test_import__waits_for_another_one_and_says_for_whom(lakehouse: Lakehouse, tmp_path: Path) -> None:
    told: list[str] = []
    holding, released = threading.Event(), threading.Event()

    def hold() -> None:
        with gold_lock(lakehouse.settings, lambda line: None):
            holding.set()
            released.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    holding.wait(30)
    export(tmp_path / "a.csv")
    mine = threading.Thread(target=lambda: import_export(lakehouse, tmp_path / "a.csv", None, NOW, report=told.append))
    mine.start()
    while not told:
        mine.join(0.01)
    released.set()
    mine.join()
    other.join()
    assert f"waiting for another import (process {os.getpid()}" in told[0]
    assert lakehouse.rows_by_day("gold.iot_data") == {date(2026, 3, 2): 20}


def test_read_exports__names_the_problems_of_all_files(lakehouse: Lakehouse, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp,x\n2026-03-02 11:00:00,1\n")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(SourceFileError, match="a.csv names no sensor.*b.csv is empty"):
        read_exports(lakehouse, [tmp_path / "a.csv", tmp_path / "b.csv"], None, NOW, None)
