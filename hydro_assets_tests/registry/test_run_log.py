"""A run holds everything one needs to judge and repeat a training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from mlflow.utils.validation import _validate_metric_name

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.run_log import environment, flat, legal_name, metrics_of
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.registered import log_and_register

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]


def test_run__holds_parameters_metrics_epochs_data_and_files(
    quick: MakeSettings, trained: Trained, provenance: Provenance, features: pl.DataFrame, tmp_path: Path
) -> None:
    settings = quick(webhook_url="https://chat.example/secret-canary", step_launcher={"token": "secret-canary"})
    made = log_and_register(trained("gru"), settings, provenance, features)

    client = mlflow_client(settings)
    run = client.get_run(made.run_id)
    assert run.data.params["hidden_size"] == "4"
    assert run.data.params["sequence_length"] == "12"
    assert {
        "holdout_skill",
        "holdout_coverage_95",
        "holdout_mae_ph_level",
        "holdout_mae_ph_level_h1",
        "holdout_mae_air_temperature_h2",
        "holdout_mae_ph_level_h1_persistence",
        "holdout_mae_ph_level_h1_same_time_yesterday",
        "validation_rmse_ph_level_h2",
        "holdout_mae_low_ph_level_h1",
        "holdout_mae_high_ph_level_h1",
        "holdout_coverage_80_ph_level_h1",
        "train_mae_ph_level",
        "holdout_leaving_brier_ph_level_h2",
        "train_leaving_event_share_ph_level_h1",
    } <= set(run.data.metrics)
    losses = client.get_metric_history(made.run_id, "validation_loss")
    assert [m.step for m in losses] == list(range(1, len(trained("gru").history) + 1))

    (data,) = run.inputs.dataset_inputs
    source = json.loads(data.dataset.source)
    assert (source["path"], source["delta_table_version"]) == ("/lake/feature_store/sensor_features", 3)
    tags = {tag.key: tag.value for tag in data.tags}
    assert (tags["mlflow.data.context"], tags["gold_version"]) == ("training", "5")

    files = Path(client.download_artifacts(made.run_id, "", str(tmp_path)))
    assert {p.name for p in files.iterdir()} >= {
        "model",
        "config.json",
        "features.json",
        "scaler.json",
        "metrics.csv",
        "history.json",
        "training_log.txt",
        "environment.txt",
        "model_card.md",
        "split.json",
        "importance.json",
        "leaving.csv",
        "leaving_reliability.csv",
    }
    assert json.loads((files / "config.json").read_text())["sequence_length"] == 12
    assert json.loads((files / "scaler.json").read_text())["scaler"]
    assert {"name": "ph_level", "unit": "pH"} in json.loads((files / "features.json").read_text())
    assert not [p for p in files.rglob("*") if p.is_file() and b"secret-canary" in p.read_bytes()]


def test_classifier_scores__are_logged(trained: Trained) -> None:
    logged = {m.key: m.value for m in metrics_of(trained("lightgbm"), "lightgbm", at_ms=1)}
    assert 0 <= logged["holdout_brier_is_env_optimal_h2"] <= 1
    assert logged["holdout_accuracy_is_env_optimal_h1"] > 0.5


@pytest.mark.parametrize(
    "loss",
    [
        "train_loss_ph_level",
        "validation_loss_ph_level",
        "train_log_loss_is_env_optimal",
        "validation_log_loss_is_env_optimal",
    ],
)
def test_boosting_rounds__are_a_curve_per_target_and_horizon(trained: Trained, loss: str) -> None:
    curve = [m for m in metrics_of(trained("lightgbm"), "lightgbm", at_ms=1) if m.key == f"{loss}_h2"]
    assert [m.step for m in curve] == list(range(1, len(curve) + 1))
    assert len(curve) > 1
    assert not {"round", "horizon"} & {m.key for m in metrics_of(trained("lightgbm"), "lightgbm", at_ms=1)}


def test_bounds__are_logged_of_the_models_own_scores_and_never_averaged(trained: Trained) -> None:
    logged = {m.key for m in metrics_of(trained("lightgbm"), "lightgbm", at_ms=1)}
    assert {"holdout_mae_low_ph_level_h2", "holdout_roc_auc_high_is_env_optimal_h1"} <= logged
    assert not {"holdout_mae_low_ph_level", "holdout_mae_low_ph_level_h1_persistence"} & logged


def test_metrics__are_finite_legal_and_dated(trained: Trained) -> None:
    metrics = metrics_of(trained("gru"), "gru", at_ms=1234)
    assert {m.timestamp for m in metrics} == {1234}
    assert all(m.value == m.value for m in metrics)
    for metric in metrics:
        _validate_metric_name(metric.key)


@pytest.mark.parametrize(
    ("given", "legal"), [("loss (train)", "loss _train_"), ("pH µ/h", "pH _/h"), ("a-b.c:d/e_f", "a-b.c:d/e_f")]
)
def test_names__are_made_legal_for_mlflow(given: str, legal: str) -> None:
    assert legal_name(given) == legal
    _validate_metric_name(legal)


def test_nested_parameters__get_dotted_names() -> None:
    assert dict(flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}})) == {"a": 1, "b.c": 2, "b.d.e": 3}


def test_environment__lists_what_is_installed() -> None:
    lines = environment().splitlines()
    assert any(line.startswith("polars==") for line in lines)
    assert lines == sorted(lines, key=str.lower)
