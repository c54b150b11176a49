from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.settings import Settings
from hydro_assets.tables import Column, Table
from hydro_assets_tests.builders.spark_server import SparkServer

TABLE = Table(
    "feature_store.trial",
    (
        Column("system_id", "string", "", "it's a system", nullable=False),
        Column("timestamp", "timestamp", "", "when", nullable=False),
        Column("ph_level", "double", "pH", "acidity"),
        Column("date", "date", "", "day", nullable=False),
    ),
    "A farm's trial table.",
    keys=("system_id", "timestamp"),
    partition_by="date",
    time_column="timestamp",
    properties=(("hydro.feature_step", "1min"),),
)


# Rows in memory and tables in folders are written by delta-rs whatever the engine; a catalog's tables by its Spark.
ENGINES = ["sail", pytest.param("jvm, tables in a catalog", marks=pytest.mark.jvm)]


@pytest.fixture(params=ENGINES)
def on_each_engine(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lakehouse]:
    """An empty lakehouse on each engine: all of them keep the same promises."""
    if request.param == "sail":
        yield Lakehouse(make_settings())
        return
    server: SparkServer = request.getfixturevalue("jvm")
    monkeypatch.setenv("SPARK_REMOTE", server.remote)
    found = Lakehouse(make_settings(environment="databricks", catalog="spark_catalog"))
    yield found
    drop(found)
    shutil.rmtree(server.warehouse / "feature_store.db", ignore_errors=True)


def drop(lakehouse: Lakehouse) -> None:
    """Remove the trial table."""
    if lakehouse.settings.table_root is None:
        lakehouse.spark.sql(f"DROP TABLE IF EXISTS {lakehouse.uri(TABLE.name)}")
    else:
        shutil.rmtree(lakehouse.uri(TABLE.name))


def rows(day: int, values: list[float | None], system: str = "a") -> pl.DataFrame:
    stamps = [datetime(2026, 1, day, 0, i, tzinfo=UTC) for i in range(len(values))]
    return pl.DataFrame(
        {
            "system_id": [system] * len(values),
            "timestamp": stamps,
            "ph_level": values,
            "date": [date(2026, 1, day)] * len(values),
        },
        schema_overrides={"ph_level": pl.Float64},
    )


def days(lakehouse: Lakehouse) -> dict[int, list[float | None]]:
    table = lakehouse.read_polars(TABLE.name).sort("timestamp")
    return {d.day: g["ph_level"].to_list() for (d,), g in table.group_by("date", maintain_order=True)}


def test_replace_days__touches_only_its_days(on_each_engine: Lakehouse) -> None:
    first, second, end = (date(2026, 1, day) for day in (1, 2, 3))
    on_each_engine.replace_days(TABLE, pl.concat([rows(1, [6.0, 6.1]), rows(2, [6.2])]), first, end)
    receipt = on_each_engine.replace_days(TABLE, pl.concat([rows(1, [9.9]), rows(2, [7.0, None])]), second, end)
    assert days(on_each_engine) == {1: [6.0, 6.1], 2: [7.0, None]}
    assert receipt.rows_by_day == {"2026-01-02": 2}
    on_each_engine.replace_days(TABLE, rows(1, []), first, second)
    assert on_each_engine.days(TABLE.name) == [second]


def test_replace_days__twice_is_once(lakehouse: Lakehouse) -> None:
    for _ in range(2):
        lakehouse.replace_days(TABLE, rows(1, [6.0, 6.1]), date(2026, 1, 1), date(2026, 1, 2))
    assert days(lakehouse) == {1: [6.0, 6.1]}


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        pytest.param(rows(1, [6.0]).with_columns(extra=1), "column extra is unknown", id="unknown column"),
        pytest.param(rows(1, [6.0]).drop("date"), "column date is missing", id="missing key"),
    ],
)
def test_replace_days__refuses_rows_that_do_not_fit_and_keeps_the_old(
    lakehouse: Lakehouse, frame: pl.DataFrame, problem: str
) -> None:
    lakehouse.replace_days(TABLE, rows(1, [6.0]), date(2026, 1, 1), date(2026, 1, 2))
    with pytest.raises(TableError, match=problem):
        lakehouse.replace_days(TABLE, frame, date(2026, 1, 1), date(2026, 1, 2))
    assert days(lakehouse) == {1: [6.0]}


def test_replace_days__refuses_a_spark_frame_of_another_type(lakehouse: Lakehouse) -> None:
    lakehouse.ensure(TABLE)
    text = lakehouse.spark.createDataFrame(rows(1, [6.0]).with_columns(pl.col("ph_level").cast(pl.String)).to_arrow())
    with pytest.raises(TableError, match="column ph_level is string, not double"):
        lakehouse.replace_days(TABLE, text, date(2026, 1, 1), date(2026, 1, 2))


def test_ensure__adds_columns_and_keeps_rows(on_each_engine: Lakehouse) -> None:
    on_each_engine.replace_days(TABLE, rows(1, [6.0]), date(2026, 1, 1), date(2026, 1, 2))
    wider = Table(
        **{**TABLE.__dict__, "columns": (*TABLE.columns, Column("ec_level", "double", "mS/cm", "conductivity"))}
    )
    on_each_engine.ensure(wider)
    on_each_engine.append(wider, rows(2, [6.5]).with_columns(ec_level=1.2))
    table = on_each_engine.read_polars(TABLE.name).sort("timestamp")
    assert table["ec_level"].to_list() == [None, 1.2]


def test_ensure__refuses_another_grid(on_each_engine: Lakehouse) -> None:
    on_each_engine.ensure(TABLE)
    other = Table(**{**TABLE.__dict__, "properties": (("hydro.feature_step", "5min"),)})
    with pytest.raises(TableError, match="made with hydro.feature_step = 1min, not 5min"):
        on_each_engine.ensure(other)


def test_read__missing_table_names_the_remedy(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableError, match="hydro import --csv"):
        lakehouse.read("gold.iot_data")


def test_version__tells_a_recreated_table_apart(on_each_engine: Lakehouse) -> None:
    on_each_engine.ensure(TABLE)
    first = on_each_engine.version(TABLE.name)
    drop(on_each_engine)
    on_each_engine.ensure(TABLE)
    second = on_each_engine.version(TABLE.name)
    assert first is not None
    assert second is not None
    assert (first.version, first.table_id != second.table_id) == (second.version, True)


def test_days__lists_days_with_rows(lakehouse: Lakehouse) -> None:
    lakehouse.append(TABLE, pl.concat([rows(1, [6.0]), rows(4, [6.2])]))
    assert lakehouse.days(TABLE.name) == [date(2026, 1, 1), date(2026, 1, 4)]


@pytest.mark.parametrize(
    ("feature", "does", "said"),
    [
        pytest.param("catalogManaged", "read", r"managed by a catalog, .* by its name", id="catalog-managed"),
        pytest.param("catalogManaged", "watch", r"managed by a catalog, .* by its name", id="its history"),
        pytest.param("typeWidening", "write", r"cannot be written here: .*TypeWidening", id="type widening"),
        pytest.param("typeWidening", "read", None, id="type widening can be read"),
        pytest.param("v2Checkpoint", "write", None, id="checkpoints of version 2"),
    ],
)
def test_table_with_a_newer_feature_of_delta__works_or_is_one_sentence(
    lakehouse: Lakehouse, feature: str, does: str, said: str | None
) -> None:
    version = lakehouse.replace_days(TABLE, rows(1, [6.0]), date(2026, 1, 1), date(2026, 1, 2)).version.version
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [feature], "writerFeatures": [feature]}
    commit = Path(lakehouse.uri(TABLE.name), "_delta_log", f"{version + 1:020d}.json")
    commit.write_text(json.dumps({"protocol": protocol}) + "\n" + json.dumps({"commitInfo": {"timestamp": 1}}))
    action: Callable[[], object] = {
        "read": lambda: lakehouse.read_polars(TABLE.name),
        "watch": lambda: change_log(lakehouse.settings).read(TABLE.name, None),
        "write": lambda: lakehouse.replace_days(TABLE, rows(2, [6.0]), date(2026, 1, 2), date(2026, 1, 3)),
    }[does]
    if said is None:
        assert action() is not None
        return
    with pytest.raises(TableError, match=said):
        action()
