"""The calls of the original documentation, word for word, on a farm of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hydro_assets import cli
from hydro_assets.cli.app import app
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets.tables import MODELS, names

pytestmark = pytest.mark.smoke
assert cli  # importing it registers the commands
CALLS = (
    "feature-store hydroponics hydroponics-data hydroponics.gold.iot_data sensor_features",
    "train lstm hydroponics hydroponics-data sensor_features ph_level",
    "train gru hydroponics hydroponics-data sensor_features ph_level",
    "train lightgbm hydroponics hydroponics-data sensor_features is_env_optimal",
    "batch-inference hydroponics hydroponics-data sensor_features hydroponics_lstm_forecast hydroponics_gru_forecast "
    "hydroponics_lightgbm_classifier batch_predictions 24 ph_level",
    "batch-inference hydroponics hydroponics-data feature_store.sensor_features hydroponics_lstm_forecast "
    "hydroponics_gru_forecast hydroponics_lightgbm_classifier elsewhere.for_growers",
)
SMALL = {
    "HYDRO_FEATURE_STEP": "5min",
    "HYDRO_MINIMUM_RECORDS": "200",
    "HYDRO_LEAD_TIMES": "1h",
    "HYDRO_RECURRENT__EPOCHS": "1",
    "HYDRO_RECURRENT__MAX_WINDOWS_PER_EPOCH": "64",
    "HYDRO_RECURRENT__HIDDEN_SIZE": "4",
    "HYDRO_LIGHTGBM__NUM_BOOST_ROUND": "5",
}


@pytest.fixture(scope="module")
def after_the_calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**SMALL, "HYDRO_HOME": str(tmp_path_factory.mktemp("home"))}.items():
            patch.setenv(name, value)
        lakehouse = Lakehouse(load_settings())
        start = datetime(2026, 3, 2, tzinfo=UTC)
        add_readings(lakehouse, simulate(1, start, start + timedelta(days=3), 7, timedelta(minutes=5)))
        for call in CALLS:
            app(call.split(), standalone_mode=False)
        yield lakehouse


def test_calls__register_a_version_of_each_model_in_its_experiment(after_the_calls: Lakehouse) -> None:
    for kind in MODELS:
        model = RegisteredModel(after_the_calls.settings, kind)
        version = model.serving_version()
        assert (model.experiment, version) == (f"hydroponics_{kind}", "1")
        info = model.load(version).info
        assert info.primary == "ph_level"
        assert info.labels == (("is_env_optimal",) if kind == "lightgbm" else ())


def test_calls__fill_the_table_that_the_documentation_promises(after_the_calls: Lakehouse) -> None:
    features = after_the_calls.read_polars(names.SENSOR_FEATURES)
    predictions = after_the_calls.read_polars(names.BATCH_PREDICTIONS)
    promised = {f"{kind}_prediction" for kind in MODELS} | {"ensemble_avg", "inference_timestamp"}
    assert predictions.height == features.height > 200
    assert set(predictions.columns) >= set(features.columns) | promised
    ok = predictions.filter(prediction_quality="ok")
    assert ok.height > 100
    assert ok["ensemble_avg"].is_between(4, 9).all()
    assert ok["lightgbm_optimal_probability"].is_between(0, 1).all()


def test_calls__honour_another_name_of_the_output(after_the_calls: Lakehouse) -> None:
    settings = after_the_calls.settings
    other = settings.model_copy(
        update={"tables": settings.tables.model_copy(update={"batch_predictions": "elsewhere.for_growers"})}
    )
    times = ("inference_timestamp",)
    first, second = (Lakehouse(s).read_polars(names.BATCH_PREDICTIONS).drop(times) for s in (settings, other))
    assert first.sort("timestamp").equals(second.sort("timestamp"))
