"""Names and addresses: local file, server, Databricks."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.mlflow_server import MlflowServer
from hydro_assets_tests.builders.registered import log_and_register, promote

MakeSettings = Callable[..., Settings]

DATABRICKS = {"mlflow_tracking_uri": "databricks", "mlflow_registry_uri": "databricks-uc", "catalog": "prod"}


def test_local_names__are_the_fixed_ones(quick: MakeSettings) -> None:
    assert [RegisteredModel(quick(), kind).name for kind in MODELS] == [
        "hydroponics_lstm_forecast",
        "hydroponics_gru_forecast",
        "hydroponics_lightgbm_classifier",
    ]
    assert [RegisteredModel(quick(), kind).experiment for kind in MODELS] == [
        "hydroponics_lstm",
        "hydroponics_gru",
        "hydroponics_lightgbm",
    ]


def test_unity_catalog_names__have_three_levels(quick: MakeSettings) -> None:
    assert RegisteredModel(quick(**DATABRICKS), "gru").name == "prod.models.hydroponics_gru_forecast"


def test_unity_catalog_name__that_is_already_full_is_kept(quick: MakeSettings) -> None:
    settings = quick(**DATABRICKS, models={"gru": "other.ml.gru"})
    assert RegisteredModel(settings, "gru").name == "other.ml.gru"


def test_databricks_experiments__are_workspace_files(quick: MakeSettings) -> None:
    assert RegisteredModel(quick(**DATABRICKS), "gru").experiment == "/Shared/hydroponics_gru"


def test_databricks__is_reached_through_its_two_stores(quick: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://adb.example")
    monkeypatch.setenv("DATABRICKS_TOKEN", "none")
    settings = quick(**DATABRICKS)
    client = mlflow_client(settings)
    assert (client.tracking_uri, client._registry_uri) == ("databricks", "databricks-uc")
    model = RegisteredModel(settings, "gru")
    assert model.run_url("7", "r") == "https://adb.example/ml/experiments/7/runs/r"
    page = "https://adb.example/explore/data/models/prod/models/hydroponics_gru_forecast/version/3"
    assert model.version_url("3") == page


def test_pages__of_a_local_store_do_not_exist(quick: MakeSettings) -> None:
    model = RegisteredModel(quick(), "gru")
    assert (model.run_url("1", "r"), model.version_url("3")) == (None, None)


def test_pages__of_a_server_show_no_password(quick: MakeSettings) -> None:
    settings = quick(mlflow_tracking_uri="https://user:secret@mlflow.example:5000/")
    model = RegisteredModel(settings, "gru")
    assert model.run_url("1", "r") == "https://mlflow.example:5000/#/experiments/1/runs/r"
    assert model.version_url("3") == "https://mlflow.example:5000/#/models/hydroponics_gru_forecast/versions/3"


def test_experiment__made_elsewhere_in_the_meantime_is_used(
    quick: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick()
    model = RegisteredModel(settings, "gru")
    made = model.experiment_id()
    answers = iter([None, model.client.get_experiment_by_name("hydroponics_gru")])
    monkeypatch.setattr(model.client, "get_experiment_by_name", lambda _: next(answers))
    assert model.experiment_id() == made


def test_server__takes_trains_registers_promotes_and_serves(
    server: MlflowServer,
    quick: MakeSettings,
    trained: Callable[[str], TrainingResult],
    provenance: Provenance,
    features: pl.DataFrame,
) -> None:
    settings = quick(mlflow_tracking_uri=server.url)
    made = log_and_register(trained("lightgbm"), settings, provenance, features)
    assert made.source_uri.startswith("mlflow-artifacts:")
    assert made.run_url == f"{server.url}/#/experiments/{_experiment(settings)}/runs/{made.run_id}"
    assert promote(settings, "lightgbm", features, provenance.trained_at).promoted
    assert RegisteredModel(settings, "lightgbm").serving_version() == made.version == "1"
    loaded = RegisteredModel(settings, "lightgbm").load("1")
    assert loaded.predict(features).equals(trained("lightgbm").package.predict(features))


def _experiment(settings: Settings) -> str:
    return RegisteredModel(settings, "lightgbm").experiment_id()
