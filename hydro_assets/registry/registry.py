"""From a training to a registered version: log the run, end it, and only then make the version."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.registry.mlflow_client import (
    at_once,
    experiment_name,
    registered_name,
    run_url,
    tracking_errors,
    version_url,
)
from hydro_assets.registry.model_card import model_card
from hydro_assets.registry.run_log import MODEL_FOLDER, log_training, summary_metrics
from hydro_assets.registry.tracking import Provenance, TrainingRun, training_run
from hydro_assets.registry.versions import CHALLENGER, DIGEST, latest_whole
from hydro_assets.settings import Settings
from hydro_assets.tables import names

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from hydro_assets.training.train import TrainingResult


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry, where it came from, and its model card (markdown).

    The URLs are None for a local file store, which has no pages.
    """

    name: str
    version: str
    run_id: str
    experiment: str
    source_uri: str
    run_url: str | None
    version_url: str | None
    card: str


def train_and_register(
    kind: str,
    features: pl.DataFrame,
    settings: Settings,
    provenance: Provenance,
    *,
    horizons: Sequence[int] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> tuple[TrainingResult, RegisteredVersion]:
    """Train inside an MLflow run, log it, register it as challenger. A training that fails leaves a FAILED run.

    Raises:
        TrainingError: nothing can be learned from `features`.
        TrackingError: MLflow did not take the run or the version; versions registered before are untouched.
    """
    from hydro_assets.forecasting.package import DataFacts
    from hydro_assets.training.train import train

    read = {names.SENSOR_FEATURES: provenance.feature_version, names.IOT_DATA: provenance.gold_version}
    facts = DataFacts(table=provenance.feature_table, versions={table: v for table, v in read.items() if v is not None})
    with training_run(settings, kind, provenance) as run:
        result = train(kind, features, settings, horizons=horizons, data_facts=facts, on_progress=on_progress)
        digest = log_training(run, result, features)
    return result, register(run, result, digest)


def log_and_register(
    result: TrainingResult, settings: Settings, provenance: Provenance, features: pl.DataFrame
) -> RegisteredVersion:
    """Log and register a training that has already been done; `features` give schema and input example."""
    with training_run(settings, result.package.info.kind, provenance) as run:
        digest = log_training(run, result, features)
    return register(run, result, digest)


def register(run: TrainingRun, result: TrainingResult, digest: str) -> RegisteredVersion:
    """Make the next version from the finished run `run` and give it the alias `challenger`.

    The version appears in one request with all its tags, and only after its run has ended well: what is in the registry
    is complete.
    """
    settings, client, kind = run.settings, run.client, run.kind
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Registering a version of {name} from run {run.run_id}"):
        _ensure_model(client, name)
        source = f"{client.get_run(run.run_id).info.artifact_uri}/{MODEL_FOLDER}"
        tags = run.provenance.tags() | {
            "kind": kind,
            "experiment": experiment_name(settings, kind),
            "target_col": result.package.info.target_col,
            "hyper_parameters": json.dumps(result.params, default=str),
            "metrics": json.dumps(summary_metrics(result, kind)),
            DIGEST: digest,
        }
        made = client.create_model_version(name, source, run.run_id, tags=tags, description=_describe(result))
        version = str(made.version)
        _make_challenger(client, name, version)
    return RegisteredVersion(
        name,
        version,
        run.run_id,
        experiment_name(settings, kind),
        source,
        run_url(settings, run.experiment_id, run.run_id),
        version_url(settings, name, version),
        model_card(result.package.info, result.metrics, run.provenance, name, version, result.classification),
    )


def _make_challenger(client: MlflowClient, name: str, version: str) -> None:
    """Give the alias `challenger` to `version`, or to a newer one that another training has made meanwhile."""
    newest, challenger = version, None
    while challenger is None or int(newest) > int(challenger):
        challenger = newest
        at_once(partial(client.set_registered_model_alias, name, CHALLENGER, challenger))
        newest = latest_whole(client, name) or challenger


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    try:
        client.create_registered_model(name)
    except MlflowException as exc:
        if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise


def _describe(result: TrainingResult) -> str:
    info = result.package.info
    return f"{info.kind} forecast of {info.target_col}; model_card.md of the run says on what and how well."
