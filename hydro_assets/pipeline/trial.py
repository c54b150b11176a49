"""Whether tables can be written and models registered from where heavy steps run; what is made is taken back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.registry.mlflow_client import is_unity_catalog, mlflow_client, tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets.tables import Column, Table

TRIAL = "hydro_setup_check"
TRIAL_TABLE = Table(
    f"dagster.{TRIAL}",
    (Column("written_at", "timestamp", "", "when this trial ran"),),
    "Trial of hydro databricks setup; may be dropped.",
)


def try_out(lakehouse: Lakehouse, at: datetime) -> Iterator[str]:
    """Write and drop a table, register and delete a version: one sentence for each that went well.

    Raises TableError, SettingsError or TrackingError, or what the engine says, where it does not.
    """
    lakehouse.append(TRIAL_TABLE, pl.DataFrame({"written_at": [at]}))
    where = lakehouse.uri(TRIAL_TABLE.name)
    lakehouse.drop_derived(TRIAL_TABLE.name)
    yield f"smoke write: {where} was written and dropped"
    yield f"registered version: {_register(lakehouse.settings)} was registered and deleted"


def _register(settings: Settings) -> str:
    import mlflow
    from mlflow.models import infer_signature

    def same(model_input: list[float]) -> list[float]:
        return model_input

    name = f"{settings.catalog}.models.{TRIAL}" if is_unity_catalog(settings.registry_uri) else TRIAL
    with tracking_errors(settings, f"Registering {name} on trial"), tempfile.TemporaryDirectory() as scratch:
        client = mlflow_client(settings)
        run = client.create_run(RegisteredModel(settings, "lightgbm").experiment_id(), run_name=TRIAL)
        signature: Any = infer_signature([1.0], [1.0])
        mlflow.pyfunc.save_model(
            str(Path(scratch, "model")), python_model=same, signature=signature, pip_requirements=["mlflow"]
        )
        client.log_artifacts(run.info.run_id, scratch)
        client.create_registered_model(name)
        made = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
        client.delete_registered_model(name)
        client.delete_run(run.info.run_id)
    return f"{name} version {made.version}"
