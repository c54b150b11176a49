"""Versions come only from trainings that ended well, one after the other, and all are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from mlflow import MlflowClient

from hydro_assets.errors import TrackingError, TrainingError
from hydro_assets.pipeline.training import train_and_register
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import CHALLENGER, RegisteredModel
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.registered import log_and_register

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]


def test_registration__keeps_all_versions_and_makes_the_newest_challenger(
    quick: MakeSettings, trained: Trained, provenance: Provenance, features: pl.DataFrame
) -> None:
    settings = quick()
    made = [log_and_register(trained("gru"), settings, provenance, features) for _ in range(3)]

    assert [m.version for m in made] == ["1", "2", "3"]
    assert RegisteredModel(settings, "gru").versions() == ["3", "2", "1"]
    assert RegisteredModel(settings, "gru").aliases() == {"challenger": "3"}
    assert len({m.run_id for m in made}) == 3


def test_registration__tags_the_version_with_time_experiment_run_parameters_and_metrics(
    quick: MakeSettings, trained: Trained, provenance: Provenance, features: pl.DataFrame
) -> None:
    settings = quick()
    made = log_and_register(trained("lightgbm"), settings, provenance, features)

    found = mlflow_client(settings).get_model_version(made.name, made.version)
    experiment = mlflow_client(settings).get_experiment_by_name(made.experiment)
    assert experiment is not None
    assert experiment.tags["mlflow.note.content"].startswith(f"Trainings of {made.name}")  # MLflow shows it
    assert found.run_id == made.run_id
    assert found.tags["trained_at"] == "2024-03-02T06:00:00Z"
    assert found.tags["experiment"] == made.experiment == "hydroponics_lightgbm"
    assert found.tags["dagster_run_id"] == "run-1"
    assert json.loads(found.tags["hyper_parameters"])["num_leaves"] == 31
    assert json.loads(found.tags["metrics"])["holdout_skill"] < 1
    assert (found.tags["targets"], found.tags["labels"]) == ("ph_level, air_temperature", "is_env_optimal")


def test_train_and_register__trains_inside_its_run(
    quick: MakeSettings, provenance: Provenance, features: pl.DataFrame
) -> None:
    settings = quick()
    told: list[str] = []
    result, made = train_and_register(RegisteredModel(settings, "lightgbm"), features, provenance, told.append)

    run = mlflow_client(settings).get_run(made.run_id)
    assert run.info.status == "FINISHED"
    assert told == result.log
    assert result.package.info.data.versions == {"feature_store.sensor_features": 3, "gold.iot_data": 5}


def test_failed_training__leaves_a_failed_run_and_no_version(
    quick: MakeSettings, provenance: Provenance, features: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TrainingError("the loss is not finite", "lower the learning rate")

    monkeypatch.setattr("hydro_assets.pipeline.training.train", fail)
    settings = quick()
    with pytest.raises(TrainingError):
        train_and_register(RegisteredModel(settings, "gru"), features, provenance)

    client = mlflow_client(settings)
    (run,) = client.search_runs([RegisteredModel(settings, "gru").experiment_id()])
    assert run.info.status == "FAILED"
    assert "the loss is not finite" in run.data.tags["error"]
    assert RegisteredModel(settings, "gru").versions() == []


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("log_batch", ConnectionResetError("server went away")),
        ("log_artifacts", OSError(28, "No space left on device")),
    ],
    ids=["mlflow down in the middle", "full disk"],
)
def test_broken_logging__leaves_a_failed_run_and_no_version(
    quick: MakeSettings,
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    settings = quick()
    good = log_and_register(trained("gru"), settings, provenance, features)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, fail)
        with pytest.raises(TrackingError, match=f"{error.args[-1]}.*Check that MLflow answers"):
            log_and_register(trained("gru"), settings, provenance, features)

    client = mlflow_client(settings)
    runs = client.search_runs([RegisteredModel(settings, "gru").experiment_id()])
    assert sorted(r.info.status for r in runs) == ["FAILED", "FINISHED"]
    assert RegisteredModel(settings, "gru").versions() == [good.version]


def test_version__whose_run_never_finished__is_not_whole(
    quick: MakeSettings, trained: Trained, provenance: Provenance, features: pl.DataFrame
) -> None:
    settings = quick()
    made = log_and_register(trained("gru"), settings, provenance, features)
    client = mlflow_client(settings)
    tags = client.get_model_version(made.name, made.version).tags
    running = client.create_run(RegisteredModel(settings, "gru").experiment_id()).info.run_id
    client.create_model_version(made.name, made.source_uri, running, tags=tags)
    client.create_model_version(made.name, made.source_uri, made.run_id)  # by hand: without the digest

    assert [RegisteredModel(settings, "gru").is_whole(RegisteredModel(settings, "gru").find(v)) for v in "321"] == [
        False,
        False,
        True,
    ]


def test_registry_that_refuses__is_one_sentence_with_the_run(
    quick: MakeSettings,
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.exceptions import MlflowException

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("API request failed")

    monkeypatch.setattr(MlflowClient, "create_model_version", refuse)
    settings = quick()
    with pytest.raises(TrackingError, match=r"Registering .* run [0-9a-f]{32} failed .*API request failed\. Check"):
        log_and_register(trained("gru"), settings, provenance, features)


def test_two_trainings_at_once__do_not_mix(
    quick: MakeSettings, trained: Trained, provenance: Provenance, features: pl.DataFrame
) -> None:
    settings = quick()
    kinds = ["gru", "lightgbm", "gru", "lightgbm"]
    for kind in set(kinds):
        trained(kind)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda k: log_and_register(trained(k), settings, provenance, features), kinds))

    client = mlflow_client(settings)
    for kind, version in zip(kinds, made, strict=True):
        run = client.get_run(version.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["model_type"] == run.data.tags["model_type"] == kind
    assert sorted(m.version for m in made if m.name == "hydroponics_gru_forecast") == ["1", "2"]
    assert RegisteredModel(settings, "gru").aliases()[CHALLENGER] == "2"


def test_slower_of_two_trainings__leaves_the_newer_version_challenger(
    quick: MakeSettings,
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = quick()
    set_alias = MlflowClient.set_registered_model_alias

    def after_the_other(client: MlflowClient, name: str, alias: str, version: str) -> None:
        if version == "1":  # another training makes version 2 and its alias in between
            monkeypatch.setattr(MlflowClient, "set_registered_model_alias", set_alias)
            assert log_and_register(trained("gru"), settings, provenance, features).version == "2"
        set_alias(client, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", after_the_other)
    assert log_and_register(trained("gru"), settings, provenance, features).version == "1"
    assert RegisteredModel(settings, "gru").aliases() == {CHALLENGER: "2"}
