from __future__ import annotations

from collections.abc import Callable

import pytest

from hydro_assets.databricks.parameters import (
    BATCH_INFERENCE,
    FEATURE_STORE,
    settings_from,
    training_parameters,
    values_of,
)
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings, load_settings


def test_inference__has_the_nine_parameters_in_the_agreed_order(settings: Settings) -> None:
    assert dict(zip((p.name for p in BATCH_INFERENCE), values_of(BATCH_INFERENCE, settings), strict=True)) == {
        "catalog": "hydroponics",
        "bucket": "hydroponics-data",
        "feature_table": "hydroponics.feature_store.sensor_features",
        "lstm_model": "hydroponics_lstm_forecast",
        "gru_model": "hydroponics_gru_forecast",
        "lightgbm_model": "hydroponics_lightgbm_classifier",
        "output_table": "hydroponics.predictions.batch_predictions",
        "sequence_length": "24",
        "target_col": "ph_level",
    }


@pytest.mark.parametrize(
    "parameters",
    [FEATURE_STORE, BATCH_INFERENCE, training_parameters("gru")],
    ids=["feature-store", "batch-inference", "train"],
)
def test_values__read_back_give_the_settings_they_came_from(make_settings: Callable[..., Settings], parameters) -> None:
    ours = make_settings(catalog="farm_7", bucket="b", sequence_length=36, target_col="tds_level", forecast_horizon=15)
    values = values_of(parameters, ours)
    again = make_settings(**settings_from(parameters, values))
    assert values_of(parameters, again) == values
    assert again.catalog == "farm_7"


def test_model_name__changes_one_model_only(settings: Settings) -> None:
    values = values_of(training_parameters("gru"), settings)
    values[4] = "my_gru"
    changed = load_settings(home=settings.home, **settings_from(training_parameters("gru"), values))
    assert (changed.models.lstm, changed.models.gru) == ("hydroponics_lstm_forecast", "my_gru")


def test_wrong_number_of_values__is_answered_with_the_order() -> None:
    with pytest.raises(SettingsError, match="2 parameters were given, 3 are needed.*catalog bucket feature_table"):
        settings_from(FEATURE_STORE, ["hydroponics", "hydroponics-data"])


def test_table_under_another_name__is_refused_with_its_own() -> None:
    with pytest.raises(SettingsError, match=r"feature_table is x\.y\.z, which is called farm\.feature_store"):
        settings_from(FEATURE_STORE, ["farm", "bucket", "x.y.z"])


def test_short_table_name__is_accepted() -> None:
    given = ["farm", "b", "feature_store.sensor_features"]
    assert settings_from(FEATURE_STORE, given) == {"catalog": "farm", "bucket": "b"}
