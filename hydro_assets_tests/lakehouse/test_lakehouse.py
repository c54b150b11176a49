from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
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


ENGINES = [
    "sail",
    pytest.param("jvm, tables in folders", marks=pytest.mark.jvm),
    pytest.param("jvm, tables in a catalog", marks=pytest.mark.jvm),
]


@pytest.fixture(params=ENGINES)
def lakehouse(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lakehouse]:
    """An empty lakehouse on each engine: all of them keep the same promises."""
    if request.param == "sail":
        yield Lakehouse(make_settings())
        return
    server: SparkServer = request.getfixturevalue("jvm")
    if request.param == "jvm, tables in folders":
        yield Lakehouse(make_settings(environment="spark", spark_remote=server.remote))
        return
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


def test_replace_days__touches_only_its_days(lakehouse: Lakehouse) -> None:
    lakehouse.replace_days(TABLE, pl.concat([rows(1, [6.0, 6.1]), rows(2, [6.2])]), date(2026, 1, 1), date(2026, 1, 3))
    receipt = lakehouse.replace_days(TABLE, rows(2, [7.0, None]), date(2026, 1, 2), date(2026, 1, 3))
    assert days(lakehouse) == {1: [6.0, 6.1], 2: [7.0, None]}
    assert receipt.rows_by_day == {"2026-01-02": 2}


def test_replace_days__drops_rows_outside_its_days(lakehouse: Lakehouse) -> None:
    lakehouse.replace_days(TABLE, pl.concat([rows(1, [6.0]), rows(2, [6.2])]), date(2026, 1, 1), date(2026, 1, 2))
    assert days(lakehouse) == {1: [6.0]}


def test_replace_days__twice_is_once(lakehouse: Lakehouse) -> None:
    for _ in range(2):
        lakehouse.replace_days(TABLE, rows(1, [6.0, 6.1]), date(2026, 1, 1), date(2026, 1, 2))
    assert days(lakehouse) == {1: [6.0, 6.1]}


def test_replace_days__empty_frame_empties_the_day(lakehouse: Lakehouse) -> None:
    lakehouse.replace_days(TABLE, rows(1, [6.0]), date(2026, 1, 1), date(2026, 1, 2))
    lakehouse.replace_days(TABLE, rows(1, []), date(2026, 1, 1), date(2026, 1, 2))
    assert days(lakehouse) == {}


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


def test_ensure__adds_columns_and_keeps_rows(lakehouse: Lakehouse) -> None:
    lakehouse.replace_days(TABLE, rows(1, [6.0]), date(2026, 1, 1), date(2026, 1, 2))
    wider = Table(
        **{**TABLE.__dict__, "columns": (*TABLE.columns, Column("ec_level", "double", "mS/cm", "conductivity"))}
    )
    lakehouse.ensure(wider)
    lakehouse.append(wider, rows(2, [6.5]).with_columns(ec_level=1.2))
    table = lakehouse.read_polars(TABLE.name).sort("timestamp")
    assert table["ec_level"].to_list() == [None, 1.2]


def test_ensure__refuses_another_grid(lakehouse: Lakehouse) -> None:
    lakehouse.ensure(TABLE)
    other = Table(**{**TABLE.__dict__, "properties": (("hydro.feature_step", "5min"),)})
    with pytest.raises(TableError, match="made with hydro.feature_step = 1min, not 5min"):
        lakehouse.ensure(other)


def test_read__missing_table_names_the_remedy(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableError, match="hydro import --csv"):
        lakehouse.read("gold.iot_data")


def test_version__tells_a_recreated_table_apart(lakehouse: Lakehouse) -> None:
    lakehouse.ensure(TABLE)
    first = lakehouse.version(TABLE.name)
    drop(lakehouse)
    lakehouse.ensure(TABLE)
    second = lakehouse.version(TABLE.name)
    assert first is not None
    assert second is not None
    assert (first.version, first.table_id != second.table_id) == (second.version, True)


def test_days__lists_days_with_rows(lakehouse: Lakehouse) -> None:
    lakehouse.append(TABLE, pl.concat([rows(1, [6.0]), rows(4, [6.2])]))
    assert lakehouse.days(TABLE.name) == [date(2026, 1, 1), date(2026, 1, 4)]
