from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.delta_log import StorageLog
from hydro_assets.lakehouse.folders import for_engine
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import Column, Table
from hydro_assets_tests.builders.spark_server import SparkServer

TABLE = Table(
    "feature_store.trial",
    (Column("value", "double", "", "any"), Column("date", "date", "", "day", nullable=False)),
    "A trial.",
    partition_by="date",
)
USABLE = ["my farm", "Gewächshaus", "農場", "100%", "farm#2", 'it\'s "q"', "a{b}", "a*b$(c)!", "a&b;c:d=e@f,g~"]


def day(number: int, *values: float) -> pl.DataFrame:
    return pl.DataFrame({"value": list(values), "date": [date(2026, 1, number)] * len(values)})


@pytest.mark.parametrize("name", USABLE)
def test_home__of_any_name_holds_tables_that_every_reader_and_writer_finds(name: str, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / name)
    lakehouse = Lakehouse(settings)
    lakehouse.append(TABLE, day(1, 1.0, 2.0))
    spark = lakehouse.spark.createDataFrame(day(2, 3.0).to_arrow())
    lakehouse.replace_days(TABLE, spark, date(2026, 1, 2), date(2026, 1, 3))
    assert sorted(lakehouse.read_polars(TABLE.name)["value"]) == [1.0, 2.0, 3.0]
    assert lakehouse.rows_by_day(TABLE.name) == {date(2026, 1, 1): 2, date(2026, 1, 2): 1}
    assert lakehouse.span(TABLE.name, "value") == (3, 1.0, 3.0)
    assert lakehouse.read(TABLE.name, date(2026, 1, 1), date(2026, 1, 2)).count() == 2
    log = StorageLog(str(settings.table_root), settings.table).read(TABLE.name, None)
    assert log is not None
    assert log.days == {date(2026, 1, 1), date(2026, 1, 2)}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    lakehouse.drop_derived(TABLE.name)
    assert not lakehouse.exists(TABLE.name)


@pytest.mark.jvm
@pytest.mark.parametrize("name", USABLE)
def test_home__of_any_name_holds_tables_that_a_server_of_spark_finds(
    name: str, jvm: SparkServer, tmp_path: Path
) -> None:
    lakehouse = Lakehouse(load_settings(home=tmp_path / name, environment="spark", spark_remote=jvm.remote))
    lakehouse.append(TABLE, day(1, 1.0, 2.0))
    spark = lakehouse.spark.createDataFrame(day(2, 3.0).to_arrow())
    lakehouse.replace_days(TABLE, spark, date(2026, 1, 2), date(2026, 1, 3))
    assert sorted(lakehouse.read_polars(TABLE.name)["value"]) == [1.0, 2.0, 3.0]
    assert lakehouse.read(TABLE.name, date(2026, 1, 1), date(2026, 1, 2)).count() == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_home__rows_that_were_deleted_stay_deleted_under_an_odd_name(tmp_path: Path) -> None:
    lakehouse = Lakehouse(load_settings(home=tmp_path / "my farm"))
    lakehouse.append(TABLE, day(1, 1.0, 2.0))
    lakehouse.replace_days(TABLE, day(1, 5.0), date(2026, 1, 1), date(2026, 1, 2))
    assert lakehouse.read_polars(TABLE.name)["value"].to_list() == [5.0]


def test_engine_name__follows_a_folder_that_was_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "my farm"
    for content in ("first", "second"):
        folder.mkdir()
        (folder / "note").write_text(content)
        assert Path(for_engine(str(folder)), "note").read_text() == content
        shutil.rmtree(folder)


def test_lakehouse_uri__of_a_file_address_is_the_folder_that_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "my tables"
    settings = load_settings(home=tmp_path / "home", lakehouse_uri=folder.as_uri())
    Lakehouse(settings).append(TABLE, day(1, 1.0))
    assert settings.table_root == str(folder)
    assert Lakehouse(settings).read_polars(TABLE.name).height == 1
    assert [path.name for path in tmp_path.iterdir()] == ["my tables"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("farm[1]", "'\\['.*delta-rs", id="bracket"),
        pytest.param("50%20off", "'%20'.*delta-rs decodes", id="percent and two digits"),
        pytest.param("a\nb", "'\\\\n'.*control", id="newline"),
        pytest.param("a\\b", "delta-rs", id="backslash"),
        pytest.param("what?x", "'\\?'.*SQLite", id="question mark"),
        pytest.param("caf\udce9", "UTF-8", id="bytes that are no text"),
    ],
)
def test_home__that_a_library_cannot_read_is_refused_with_the_reason(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=reason):
        load_settings(home=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_lakehouse__may_have_a_question_mark_where_the_home_may_not(tmp_path: Path) -> None:
    settings: Settings = load_settings(home=tmp_path / "home", lakehouse_uri=str(tmp_path / "what?x"))
    Lakehouse(settings).append(TABLE, day(1, 1.0))
    assert Lakehouse(settings).read(TABLE.name).count() == 1
