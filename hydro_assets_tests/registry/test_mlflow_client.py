"""Names and addresses: local file, server, Databricks."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from hydro_assets.registry.mlflow_client import (
    experiment_id,
    experiment_name,
    mlflow_client,
    registered_name,
    run_url,
    version_url,
)
from hydro_assets.registry.promotion import promote
from hydro_assets.registry.registry import log_and_register
from hydro_assets.registry.serving import load_package, serving_version
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.mlflow_server import MlflowServer

MakeSettings = Callable[..., Settings]

DATABRICKS = {"mlflow_tracking_uri": "databricks", "mlflow_registry_uri": "databricks-uc", "catalog": "prod"}


def test_local_names__are_the_fixed_ones(quick: MakeSettings) -> None:
    assert [registered_name(quick(), kind) for kind in MODELS] == [
        "hydroponics_lstm_forecast",
        "hydroponics_gru_forecast",
        "hydroponics_lightgbm_classifier",
    ]
    assert [experiment_name(quick(), kind) for kind in MODELS] == [
        "hydroponics_lstm",
        "hydroponics_gru",
        "hydroponics_lightgbm",
    ]


def test_unity_catalog_names__have_three_levels(quick: MakeSettings) -> None:
    assert registered_name(quick(**DATABRICKS), "gru") == "prod.models.hydroponics_gru_forecast"


def test_unity_catalog_name__that_is_already_full_is_kept(quick: MakeSettings) -> None:
    settings = quick(**DATABRICKS, models={"gru": "other.ml.gru"})
    assert registered_name(settings, "gru") == "other.ml.gru"


def test_databricks_experiments__are_workspace_files(quick: MakeSettings) -> None:
    assert experiment_name(quick(**DATABRICKS), "gru") == "/Shared/hydroponics_gru"


def test_databricks__is_reached_through_its_two_stores(quick: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://adb.example")
    monkeypatch.setenv("DATABRICKS_TOKEN", "none")
    settings = quick(**DATABRICKS)
    client = mlflow_client(settings)
    assert (client.tracking_uri, client._registry_uri) == ("databricks", "databricks-uc")
    assert run_url(settings, "7", "r") == "https://adb.example/ml/experiments/7/runs/r"
    assert (
        version_url(settings, "prod.models.m", "3") == "https://adb.example/explore/data/models/prod/models/m/version/3"
    )


def test_pages__of_a_local_store_do_not_exist(quick: MakeSettings) -> None:
    assert run_url(quick(), "1", "r") is None
    assert version_url(quick(), "m", "3") is None


def test_pages__of_a_server_show_no_password(quick: MakeSettings) -> None:
    settings = quick(mlflow_tracking_uri="https://user:secret@mlflow.example:5000/")
    assert run_url(settings, "1", "r") == "https://mlflow.example:5000/#/experiments/1/runs/r"
    assert version_url(settings, "m", "3") == "https://mlflow.example:5000/#/models/m/versions/3"


def test_experiment__made_elsewhere_in_the_meantime_is_used(
    quick: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick()
    client = mlflow_client(settings)
    made = experiment_id(client, settings, "gru")
    answers = iter([None, client.get_experiment_by_name("hydroponics_gru")])
    monkeypatch.setattr(client, "get_experiment_by_name", lambda _: next(answers))
    assert experiment_id(client, settings, "gru") == made


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
    assert serving_version(settings, "lightgbm") == made.version == "1"
    loaded = load_package(settings, "lightgbm", "1")
    assert loaded.predict(features).equals(trained("lightgbm").package.predict(features))


def _experiment(settings: Settings) -> str:
    return experiment_id(mlflow_client(settings), settings, "lightgbm")
