"""The `mlflow` resource: dagster-mlflow's `mlflow_tracking` on the farm's tracking store, for assets of your own.

The assets of this project do not use it: with parallel steps it opens a second run in another experiment and leaves the
run of a killed step RUNNING. For an asset or op beside them it is convenient: `required_resource_keys={"mlflow"}`, and
the hook `dagster_mlflow.end_mlflow_on_run_finished` on its job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings

OWN_EXPERIMENT = "hydroponics_own"


def mlflow_resource(settings: Settings) -> dg.ResourceDefinition:
    """One MLflow run per Dagster run, in the experiment of its config; the tracking address never shows in the UI."""

    @dg.resource(
        config_schema={"experiment_name": dg.Field(str, default_value=OWN_EXPERIMENT, description="MLflow experiment")},
        description="dagster-mlflow on this farm's tracking store, for assets of your own.",
    )
    def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
        from dagster_mlflow.resources import MlFlow

        name = context.resource_config["experiment_name"]
        client = mlflow_client(settings)
        if settings.has_local_mlflow and client.get_experiment_by_name(name) is None:
            # MLflow's default is a folder of the working directory.
            client.create_experiment(name, artifact_location=(settings.root / "mlflow" / "artifacts" / name).as_uri())
        config = {"experiment_name": name, "mlflow_tracking_uri": settings.tracking_uri, "env": {}, "extra_tags": {}}
        run = MlFlow(context.replace_config(config))
        yield run
        run.cleanup_on_error()

    return mlflow
