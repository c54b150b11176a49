"""`hydro train --set`: any setting, held to its bounds before anything is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from hydro_assets.cli import job_commands
from hydro_assets.cli.app import app
from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings


@pytest.fixture
def trained_with(monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings]) -> list[Settings]:
    """Settings of the trainings that were asked for; none is done."""
    monkeypatch.setenv("HYDRO_HOME", str(make_settings().root))
    seen: list[Settings] = []

    def note(lakehouse: Lakehouse, *_: object, **__: object) -> None:
        seen.append(lakehouse.settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("hydro_assets.pipeline.training.train_model", note)
    return seen


def test_set__overrides_any_setting_beside_the_positional_parameters(trained_with: list[Settings]) -> None:
    assert job_commands.app is app
    parameters = ["farm", "b", "farm.feature_store.sensor_features", "tds_level", "e", "m", "12", "3"]
    chosen = ("recurrent.epochs=7", "recurrent.hidden_size=8", "crop.ph_level.low=5", "crop.ph_level.high=6")
    CliRunner().invoke(app, ["train", "gru", *parameters, *(word for text in chosen for word in ("--set", text))])
    (settings,) = trained_with
    assert (settings.recurrent.epochs, settings.recurrent.hidden_size, settings.crop.ph_level.low) == (7, 8, 5)
    assert (settings.catalog, settings.sequence_length, settings.target_col) == ("farm", 12, "tds_level")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("recurrent.epochs=0", "recurrent.epochs: Input should be greater than or equal to 1"),
        ("recurrent.layers=3", "recurrent.layers is no setting; did you mean recurrent.num_layers"),
        ("recurrent=3", "recurrent: "),
    ],
)
def test_set__out_of_bounds_is_refused_before_a_training(trained_with: list[Settings], chosen: str, said: str) -> None:
    result = CliRunner().invoke(app, ["train", "gru", "--set", chosen])
    assert isinstance(result.exception, SettingsError)
    assert said in str(result.exception)
    assert trained_with == []


@pytest.mark.parametrize(
    "chosen", [["recurrent.epochs"], ["recurrent=3", "recurrent.epochs=5"]], ids=["no value", "contradiction"]
)
def test_set__that_sets_nothing_is_wrong_usage(trained_with: list[Settings], chosen: list[str]) -> None:
    result = CliRunner().invoke(app, ["train", "gru", *(word for text in chosen for word in ("--set", text))])
    assert result.exit_code == 2
    assert trained_with == []


def test_parameters__that_are_wrong_are_named_in_one_sentence_with_their_order(trained_with: list[Settings]) -> None:
    values = ["farm", "b", "a.b.c.d", "is_env_optimal", "e", "m", "1"]
    result = CliRunner().invoke(app, ["train", "gru", *values])
    assert isinstance(result.exception, SettingsError)
    said = str(result.exception)
    assert all(part in said for part in ("'a.b.c.d' is not a table", "is_env_optimal is not a sensor", "sequence_len"))
    assert "catalog bucket feature_table target [experiment" in said
    assert trained_with == []


def test_documented_call__trains_the_classifier_and_notes_a_bucket_without_effect(trained_with: list[Settings]) -> None:
    result = CliRunner().invoke(app, ["train", "lightgbm", "farm", "b", "farm.ml.wide", "is_env_optimal"])
    (settings,) = trained_with
    assert (settings.labels, settings.table("feature_store.sensor_features")) == (("is_env_optimal",), "farm.ml.wide")
    assert result.output.count("note: bucket b has no effect") == 1
