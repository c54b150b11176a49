from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.durations import duration_text, parse_duration
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings, remember

FIXED = {
    "catalog": "hydroponics",
    "bucket": "hydroponics-data",
    "timezone": "UTC",
    "feature_step": timedelta(minutes=1),
    "target_col": "ph_level",
    "sequence_length": 24,
    "forecast_horizon": 1,
    "minimum_records": 1000,
}
FIXED_RECURRENT = {
    "hidden_size": 64,
    "num_layers": 2,
    "dropout": 0.2,
    "learning_rate": 0.001,
    "batch_size": 32,
    "epochs": 50,
}
FIXED_LIGHTGBM = {
    "task_type": "both",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "num_boost_round": 100,
    "feature_fraction": 0.9,
    "bagging_fraction": 0.8,
}
FIXED_NAMES = {
    "lstm": ("hydroponics_lstm_forecast", "hydroponics_lstm"),
    "gru": ("hydroponics_gru_forecast", "hydroponics_gru"),
    "lightgbm": ("hydroponics_lightgbm_classifier", "hydroponics_lightgbm"),
}
FIXED_BANDS = {"ph_level": (5.5, 6.5), "tds_level": (800, 1200), "air_temperature": (20, 28), "air_humidity": (40, 70)}


def test_defaults__are_those_that_were_agreed(settings: Settings) -> None:
    assert {name: getattr(settings, name) for name in FIXED} == FIXED
    assert {name: getattr(settings.recurrent, name) for name in FIXED_RECURRENT} == FIXED_RECURRENT
    assert {name: getattr(settings.lightgbm, name) for name in FIXED_LIGHTGBM} == FIXED_LIGHTGBM
    names = {k: (getattr(settings.models, k), getattr(settings.experiments, k)) for k in FIXED_NAMES}
    assert names == FIXED_NAMES
    bands = settings.crop.bands()
    assert {name: (bands[name].low, bands[name].high) for name in FIXED_BANDS} == FIXED_BANDS


def test_settings__are_frozen_and_described(settings: Settings) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1min", 60), ("5 min", 300), ("1h", 3600), ("1d", 86400), ("PT1M", 60), (30, 30)],
)
def test_parse_duration__reads_what_people_write(text: str | int, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (60, "1min"), (90, "90s"), (3600, "1h"), (86400, "24h")])
def test_duration_text__names_a_duration(seconds: int, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


def test_environment__beats_the_file_and_arguments_beat_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, feature_step="5min", seed=3)
    assert load_settings(home=tmp_path).feature_step == timedelta(minutes=5)
    monkeypatch.setenv("HYDRO_FEATURE_STEP", "10min")
    assert load_settings(home=tmp_path).feature_step == timedelta(minutes=10)
    assert load_settings(home=tmp_path, feature_step="1h").feature_step == timedelta(hours=1)
    assert load_settings(home=tmp_path).seed == 3


def test_environment__reaches_nested_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRO_RECURRENT__EPOCHS", "7")
    assert load_settings().recurrent.epochs == 7
    assert load_settings().recurrent.hidden_size == 64


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        pytest.param({"feature_step": "7min"}, "divide a day", id="step that does not divide a day"),
        pytest.param({"feature_step": "soon"}, "'soon' is not a duration", id="step that is no duration"),
        pytest.param({"timezone": "Mars/Olympus"}, "not an IANA time zone", id="unknown zone"),
        pytest.param({"recurrent": {"epochs": 0}}, "recurrent.epochs", id="no epochs"),
        pytest.param({"train_share": 0.95}, "room for a holdout", id="no holdout"),
        pytest.param({"sequence_lenght": 24}, "sequence_lenght", id="typing error"),
    ],
)
def test_load_settings__answers_bad_values_with_a_sentence(overrides: dict, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(**overrides)


def test_load_settings__names_all_problems_at_once() -> None:
    with pytest.raises(SettingsError, match="(?s)timezone.*feature_step"):
        load_settings(timezone="Mars/Olympus", feature_step="7min")


def test_gap_limit__is_never_under_two_steps() -> None:
    assert load_settings().gap_limit == timedelta(minutes=5)
    assert load_settings(feature_step="1h").gap_limit == timedelta(hours=2)


@pytest.mark.parametrize(
    "address", ["hooks.example/x", "ftp://hooks.example/x", "https://user:password@hooks.example/x", "https:///x"]
)
def test_webhook__that_cannot_be_posted_to_is_refused_without_being_told(address: str) -> None:
    with pytest.raises(SettingsError, match="without user and password") as refused:
        load_settings(webhook_url=address)
    assert address not in f"{refused.value} {refused.value.__cause__}"


def test_webhook__that_is_empty_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRO_WEBHOOK_URL", "")
    assert load_settings().webhook_url is None


def test_resource__repeats_no_secret_that_its_process_reads_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRO_SPARK_REMOTE", "sc://host;token=canary")
    monkeypatch.setenv("HYDRO_STEP_LAUNCHER", '{"token": "canary"}')
    monkeypatch.setenv("HYDRO_CATALOG", "farm_7")
    resource = LakehouseResource.of(load_settings(mlflow_tracking_uri="http://127.0.0.1:1"))
    assert resource.settings == {"catalog": "farm_7", "mlflow_tracking_uri": "http://127.0.0.1:1"}
    assert resource.get().settings.spark_remote == "sc://host;token=canary"


def test_horizons__are_the_steps_and_the_lead_times_that_the_grid_tells() -> None:
    assert load_settings().horizons == (1, 15, 60, 360)
    assert load_settings(feature_step="10min", forecast_horizon=2).horizons == (1, 2, 6, 36)
    assert load_settings(feature_step="1h").horizons == (1, 6)


def test_targets__come_from_a_variable_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRO_TARGETS", "ph_level, tds_level")
    monkeypatch.setenv("HYDRO_LEAD_TIMES", "30min,2h")
    monkeypatch.setenv("HYDRO_LABELS", "is_ph_optimal,is_ex_fan_on")
    settings = load_settings()
    assert settings.targets == ("ph_level", "tds_level")
    assert settings.horizons == (1, 30, 120)
    assert settings.labels == ("is_ph_optimal", "is_ex_fan_on")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"targets": ["ph"]}, "ph is not a sensor column"),
        ({"targets": ["tds_level"]}, "target_col ph_level must be among targets"),
        ({"labels": ["is_good"]}, "is_good is not a label"),
        ({"lead_times": ["2d"]}, "must lie between 0 and 24 h"),
    ],
)
def test_targets__that_no_farm_has_are_refused(changes: dict, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(**changes)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"epochs": 3}, "epochs is no setting; did you mean recurrent.epochs? Correct"),
        ({"learning_rate": 1}, "did you mean recurrent.learning_rate or lightgbm.learning_rate?"),
        ({"recurent": {"epochs": 3}}, "recurent is no setting; did you mean recurrent?"),
        ({"recurrent": {"epoch": 3}}, "recurrent.epoch is no setting; did you mean recurrent.epochs"),
        ({"target_cols": "ph_level"}, "did you mean target_col"),
        ({"colour": "red"}, "colour is no setting."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_unknown_setting__is_answered_with_the_one_that_was_meant(
    make_settings: Callable[..., Settings], given: dict[str, object], answer: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings(**given)
    assert answer in str(caught.value)


@pytest.mark.parametrize(
    ("step", "per_task", "days"),
    [
        pytest.param("10min", 7, 7, id="coarse"),
        pytest.param("10s", 7, 7, id="10 seconds: a week is the most"),
        pytest.param("10s", 30, 7, id="never more rows than measured"),
        pytest.param("5s", 7, 3, id="finer"),
        pytest.param("1s", 7, 1, id="a day at least"),
    ],
)
def test_task_days__bound_the_rows_of_a_task(
    make_settings: Callable[..., Settings], step: str, per_task: int, days: int
) -> None:
    assert make_settings(feature_step=step, days_per_task=per_task).task_days == days
