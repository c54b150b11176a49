"""A host that launches its steps has no Spark: its checks and `verify` read through a SQL warehouse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from polars.testing import assert_frame_equal

from hydro_assets.defs.checks.feature_checks import feature_checks
from hydro_assets.defs.checks.freshness import freshness_checks
from hydro_assets.defs.checks.gold_checks import gold_checks
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse, lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.pipeline.verify import verify
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import names
from hydro_assets_tests.builders.duck_warehouse import DuckWarehouse

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
TABLES = (names.IOT_DATA, names.DIM_TIME, names.DIM_EQUIPMENT, names.SENSOR_FEATURES)
SMALL = {"feature_step": "1h", "minimum_records": 100}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """A farm of two days in folders."""
    found = Lakehouse(load_settings(home=tmp_path_factory.mktemp("here"), **SMALL))
    add_readings(found, simulate(1, START, END, seed=7, cadence=timedelta(minutes=10)))
    build_sensor_features(found, START.date(), END.date())
    return found


@pytest.fixture
def there(here: Lakehouse, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """The same tables in a catalog, on a host without Spark."""
    settings = make_settings(environment="databricks", sql_warehouse_id="abc", **SMALL)
    tables = {settings.table(name): here.read_polars(name) for name in TABLES}
    warehouse = DuckWarehouse(tables)
    monkeypatch.setattr(lakehouse, "databricks_warehouse", lambda _: warehouse)
    monkeypatch.setenv("HYDRO_MLFLOW_TRACKING_URI", f"sqlite:///{settings.home}/mlflow.db")
    return Lakehouse(settings)


def test_reading_verbs__answer_as_those_of_folders(here: Lakehouse, there: Lakehouse) -> None:
    days = (date(2026, 3, 3), date(2026, 3, 4))
    for name, time in ((names.IOT_DATA, "timestamp_key"), (names.SENSOR_FEATURES, "timestamp")):
        assert there.columns(name) == here.columns(name)
        assert there.rows_by_day(name) == here.rows_by_day(name) != {}
        assert there.span(name, time) == here.span(name, time)
        wanted = [time, "water_level" if name == names.IOT_DATA else "reading_count"]
        chosen = (place.read_polars(name, *days, wanted).sort(time) for place in (here, there))
        assert_frame_equal(*chosen)
    assert not there.exists(names.FORECASTS)


def test_checks_and_verify__say_the_same_without_spark(
    here: Lakehouse, there: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [*gold_checks(here.settings)[1:], freshness_checks()[0]]
    training_window_clean = feature_checks(here.settings)[1].op.compute_fn.decorated_fn
    run = SimpleNamespace(op_execution_context=SimpleNamespace(job_name="weekly_training"))
    told = []
    for farm in (here, there):
        monkeypatch.setattr(LakehouseResource, "get", lambda _, farm=farm: farm)
        told.append([check(lakehouse=LakehouseResource()) for check in checks])
        told[-1].append(training_window_clean(run, LakehouseResource()))
    assert [(r.passed, r.description) for r in told[0]] == [(r.passed, r.description) for r in told[1]]
    found = [{item.name: item.is_ok for item in verify(farm, list)} for farm in (here, there)]
    of_tables = {name: ok for name, ok in found[1].items() if name.startswith("hydroponics.") or "features" in name}
    assert {there.settings.table(name) for name in TABLES} <= {name for name, ok in of_tables.items() if ok}
    assert of_tables == {name: found[0][name] for name in of_tables}


def test_writing__without_spark_says_where_it_can_be_done(there: Lakehouse) -> None:
    with pytest.raises(SettingsError, match="no Spark session .* step launcher"):
        there.read(names.IOT_DATA)
