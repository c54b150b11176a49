"""What is typed into the launchpad is judged before a run exists, and so before anything is launched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from hydro_assets.databricks.step_launcher.launcher import VolumeStepLauncher
from hydro_assets.defs.assets.training_config import overridden
from hydro_assets.defs.keys import model_key
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings

MakeSettings = Callable[..., Settings]
GRU, LIGHTGBM = "gru", "lightgbm"


class Launched(Exception):
    """A step reached the point where a Databricks run is submitted."""


@pytest.fixture
def train(make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dg.ExecuteInProcessResult]:
    """Trains a kind on a workspace where every launch is `Launched`."""

    def launch(*_: object) -> None:
        raise Launched

    monkeypatch.setenv("DATABRICKS_HOST", "https://farm.example")
    monkeypatch.setenv("DATABRICKS_TOKEN", "pat")
    monkeypatch.setattr(VolumeStepLauncher, "launch_step", launch)
    settings = make_settings(environment="databricks")
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()

    def run(kind: str, given: dict[str, Any], **config: Any) -> dg.ExecuteInProcessResult:
        key = model_key(settings, kind)
        step = {"ops": {"__".join(key.path): {"config": given}}}
        return job.execute_in_process(run_config={**step, **config}, asset_selection=[key])

    return run


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (GRU, {}),
        (GRU, {"target_col": "tds_level", "recurrent": {"epochs": 3, "dropout": 0, "max_windows_per_epoch": None}}),
        (LIGHTGBM, {"forecast_horizon": 5, "lightgbm": {"task_type": "classification"}}),
    ],
    ids=["nothing", "recurrent", "lightgbm"],
)
def test_values_within_bounds__are_launched(train: Callable[..., object], kind: str, given: dict[str, Any]) -> None:
    with pytest.raises(Launched):
        train(kind, given)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (GRU, {"recurrent": {"epoch": 3}}, 'unexpected config entry "epoch"'),
        (GRU, {"lightgbm": {"num_leaves": 3}}, 'unexpected config entry "lightgbm"'),
        (GRU, {"recurrent": {"epochs": "many"}}, 'not valid for expected type "Int"'),
        (GRU, {"target_col": "ph"}, "not in enum type target_col"),
        (LIGHTGBM, {"lightgbm": {"task_type": "all"}}, "not in enum type task_type"),
        (
            GRU,
            {"forecast_horizon": 0, "recurrent": {"dropout": 1.0}},
            "forecast_horizon: Input should be greater than or equal to 1; recurrent.dropout: Input should be less "
            "than 1. Correct the values in the config of this run.",
        ),
    ],
    ids=["unknown name", "name of another model", "type", "target", "choice", "bounds"],
)
def test_bad_values__are_refused_before_there_is_a_run(
    train: Callable[..., object], kind: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        train(kind, given)
    assert said in str(refused.value)


def test_bad_settings_of_the_lakehouse__fail_on_the_host(train: Callable[..., object]) -> None:
    lakehouse = {"resources": {"lakehouse": {"config": {"settings": {"forecast_horizon": 0}}}}}
    with pytest.raises(dg.DagsterResourceFunctionError) as refused:
        train(GRU, {}, **lakehouse)
    assert isinstance(refused.value.__cause__, SettingsError)


def test_given_values__replace_those_of_the_settings_and_no_others(make_settings: MakeSettings) -> None:
    settings = make_settings(recurrent={"epochs": 7, "hidden_size": 8}, webhook_url="https://hooks.example/x")
    chosen = overridden(settings, {"seed": 1, "recurrent": {"epochs": 3}})
    assert (chosen.seed, chosen.recurrent.epochs, chosen.recurrent.hidden_size) == (1, 3, 8)
    assert chosen.webhook_url == settings.webhook_url
    assert overridden(settings, {}) == settings
