from __future__ import annotations

from collections.abc import Callable

import pytest

from hydro_assets.databricks.parameters import (
    BATCH_INFERENCE,
    FEATURE_STORE,
    bucket_note,
    settings_from,
    training_parameters,
    training_target,
    usage,
    values_of,
)
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings
from hydro_assets.tables import names


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


def test_feature_store__takes_gold_before_the_features(settings: Settings) -> None:
    assert usage(FEATURE_STORE) == "catalog bucket gold_table feature_table"
    assert values_of(FEATURE_STORE, settings)[2] == "hydroponics.gold.iot_data"


def test_training__needs_what_the_documented_call_gives() -> None:
    needed, optional = usage(training_parameters("lstm")).split(" [")
    assert needed == "catalog bucket feature_table target"
    assert optional == "experiment model sequence_length forecast_horizon]"


@pytest.mark.parametrize(
    "parameters",
    [FEATURE_STORE, BATCH_INFERENCE, training_parameters("gru")],
    ids=["feature-store", "batch-inference", "train"],
)
def test_values__read_back_give_the_settings_they_came_from(make_settings: Callable[..., Settings], parameters) -> None:
    tables = {"sensor_features": "others.ml.wide", "batch_predictions": "scores"}
    chosen = {"sequence_length": 36, "target_col": "tds_level", "forecast_horizon": 15}
    ours = make_settings(catalog="farm_7", bucket="b", tables=tables, **chosen)
    values = values_of(parameters, ours)
    again = make_settings(**settings_from(parameters, values))
    assert values_of(parameters, again) == values
    assert again.catalog == "farm_7"


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("sensor_features", "farm.feature_store.sensor_features"),
        ("wide", "farm.feature_store.wide"),
        ("ml.wide", "farm.ml.wide"),
        ("other.ml.wide", "other.ml.wide"),
    ],
)
def test_table__is_named_with_or_without_schema_and_catalog(
    make_settings: Callable[..., Settings], given: str, full: str
) -> None:
    settings = make_settings(**settings_from(FEATURE_STORE, ["farm", "b", "gold.iot_data", given]))
    assert settings.table(names.SENSOR_FEATURES) == full
    assert settings.table(names.IOT_DATA) == "farm.gold.iot_data"
    assert settings.table(names.SYSTEM_OUTLOOK) == "farm.predictions.system_outlook"


@pytest.mark.parametrize("given", ["a.b.c.d", "ml.", ".wide", "my table", "wide;", ""])
def test_table__of_another_form_is_refused(make_settings: Callable[..., Settings], given: str) -> None:
    with pytest.raises(
        SettingsError, match=r"feature_table is empty|tables\.sensor_features: '.*' is not a table name"
    ):
        make_settings(**settings_from(FEATURE_STORE, ["farm", "b", "gold.iot_data", given]))


@pytest.mark.parametrize("output", ["gold.iot_data", "farm.GOLD.iot_data", "predictions.promotion_log"])
def test_output__over_another_table_is_refused(make_settings: Callable[..., Settings], output: str) -> None:
    values = ["farm", "b", "sensor_features", "l", "g", "b", output]
    with pytest.raises(SettingsError, match="would both be farm"):
        make_settings(**settings_from(BATCH_INFERENCE, values))


def test_model_name__changes_one_model_only(make_settings: Callable[..., Settings]) -> None:
    parameters = training_parameters("gru")
    values = values_of(parameters, make_settings())
    values[5] = "my_gru"
    changed = make_settings(**settings_from(parameters, values))
    assert (changed.models.lstm, changed.models.gru) == ("hydroponics_lstm_forecast", "my_gru")


@pytest.mark.parametrize(
    ("parameters", "count", "said"),
    [
        (FEATURE_STORE, 3, "3 parameters were given, 4 are needed.*catalog bucket gold_table feature_table"),
        (BATCH_INFERENCE, 10, "10 parameters were given, 7 to 9 are needed.*output_table .sequence_length target_col"),
    ],
    ids=["too few", "too many"],
)
def test_wrong_number_of_values__is_answered_with_the_order(parameters, count: int, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_from(parameters, ["x"] * count)


def test_state__as_the_target_of_lightgbm_is_its_label_and_leaves_the_forecast(
    make_settings: Callable[..., Settings],
) -> None:
    given = settings_from(training_parameters("lightgbm"), ["farm", "b", "sensor_features", "is_ph_optimal"])
    settings = make_settings(**training_target("lightgbm", given))
    assert (settings.labels, settings.target_col, settings.lightgbm.task_type) == (
        ("is_ph_optimal",),
        "ph_level",
        "both",
    )


@pytest.mark.parametrize(("kind", "target"), [("lstm", "is_env_optimal"), ("lightgbm", "colour")])
def test_target__that_the_kind_does_not_forecast_is_refused(
    make_settings: Callable[..., Settings], kind: str, target: str
) -> None:
    given = settings_from(training_parameters(kind), ["farm", "b", "sensor_features", target])
    with pytest.raises(SettingsError, match=f"target_col: {target} is not a sensor column"):
        make_settings(**training_target(kind, given))


@pytest.mark.parametrize(
    ("place", "note"),
    [
        ({}, "the tables lie under"),
        ({"environment": "databricks"}, "hydroponics manages its tables"),
        ({"environment": "databricks", "external_tables": True}, None),
    ],
    ids=["this machine", "managed", "external"],
)
def test_bucket__is_noted_where_it_has_no_effect(
    make_settings: Callable[..., Settings], place: dict[str, object], note: str | None
) -> None:
    found = bucket_note(make_settings(**place))
    assert note is None if found is None else note is not None and note in found


@pytest.mark.parametrize(
    ("bucket", "location"),
    [
        ("farm-7", "s3://farm-7/feature_store/sensor_features"),
        ("abfss://c@a.dfs.core.windows.net/", "abfss://c@a.dfs.core.windows.net/feature_store/sensor_features"),
    ],
)
def test_external_tables__lie_in_the_bucket(make_settings: Callable[..., Settings], bucket: str, location: str) -> None:
    settings = make_settings(environment="databricks", external_tables=True, bucket=bucket)
    assert settings.table_location(names.SENSOR_FEATURES) == location
    assert make_settings(environment="databricks").table_location(names.SENSOR_FEATURES) is None
