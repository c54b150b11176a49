"""A forecast of the newest reading is the row that the batch writes for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.errors import SettingsError, TableError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.newest import chosen, forecast_readings, newest_forecasts
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.running_system import readings_back
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA, names
from hydro_assets_tests.builders.served_farm import END, NOW, readings, served, served_settings


@pytest.fixture(scope="module")
def models() -> ServingModels:
    return served()


@pytest.fixture
def farm(make_settings: Callable[..., Settings]) -> Lakehouse:
    return Lakehouse(served_settings(make_settings))


def test_newest_forecasts__equal_the_rows_that_the_batch_writes(farm: Lakehouse, models: ServingModels) -> None:
    gold = readings()
    farm.append(GOLD_IOT_DATA, gold)
    days = gold["date"].to_list()
    end = max(days) + timedelta(days=1)
    build_sensor_features(farm, min(days), end)
    score_days(farm, farm.settings, models, end - timedelta(days=1), end, NOW)
    written = farm.read_polars(names.FORECASTS)
    written = written.filter(pl.col("timestamp") == pl.col("timestamp").max().over("system_id"))
    order = ["system_id", "target", "horizon"]
    found = newest_forecasts(farm, models, NOW)
    assert found["system_id"].n_unique() == 2
    assert set(found["prediction_quality"]) == {"ok", "model_missing"}
    exact = {"check_exact": False, "rel_tol": 0.0, "abs_tol": 1e-9}
    assert_frame_equal(found.sort(order), written.sort(order), check_column_order=False, **exact)
    (alone,) = found.partition_by("system_id")[:1]
    assert_frame_equal(newest_forecasts(farm, models, NOW, alone["system_id"][0]), alone, **exact)
    with pytest.raises(TableError, match="no reading of system nowhere .* Systems that were read then: system_1, sys"):
        newest_forecasts(farm, models, NOW, "nowhere")


def test_look_back__is_all_that_a_forecast_depends_on(farm: Lakehouse, models: ServingModels) -> None:
    gold = readings().filter(system_id="system_1")
    farm.append(GOLD_IOT_DATA, gold)
    spec = farm_spec(farm)
    back = readings_back(spec, models, farm.settings)
    assert back < timedelta(days=9)
    whole = forecast_readings(gold, spec, models, farm.settings, NOW)
    cut = gold.filter(pl.col("timestamp_key") >= END - back)
    assert cut.height < gold.height
    assert_frame_equal(forecast_readings(cut, spec, models, farm.settings, NOW), whole)


def test_chosen__names_all_that_is_not_forecast() -> None:
    settings = Settings()  # type: ignore[call-arg]
    rows = pl.DataFrame({"target": ["ph_level"] * 4, "horizon": [1, 15, 60, 360]})
    assert chosen(rows, settings, "ph_level", timedelta(hours=1))["horizon"].to_list() == [60]
    with pytest.raises(SettingsError, match="acidity is not forecast, but ph_level; 2min ahead is not forecast, but"):
        chosen(rows, settings, "acidity", timedelta(minutes=2))
