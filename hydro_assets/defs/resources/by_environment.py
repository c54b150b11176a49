"""The environment table, as Dagster sees it: resources and executor for local | spark | databricks."""

from __future__ import annotations

from typing import Any

import dagster as dg

from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.defs.resources.mlflow_resource import mlflow_resource
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource
from hydro_assets.lakehouse.environments import ENVIRONMENTS
from hydro_assets.settings import Settings


def resources(settings: Settings) -> dict[str, Any]:
    """`lakehouse`, `step_launcher` (None where steps run at home, so that the launchpad asks nothing of it), and
    `mlflow` for assets of your own."""
    launched = ENVIRONMENTS[settings.environment].launched
    return {
        "lakehouse": LakehouseResource.of(settings),
        "step_launcher": StepLauncherResource.of(settings, True) if launched else dg.ResourceDefinition.none_resource(),
        "mlflow": mlflow_resource(settings),
    }


def executor(settings: Settings) -> dg.ExecutorDefinition:
    """At home one process runs the steps in turn: torch, LightGBM and Spark each use all cores already, and a second
    process would start its own Spark. Launched steps cost this host nothing, so they run side by side."""
    return dg.multiprocess_executor if ENVIRONMENTS[settings.environment].launched else dg.in_process_executor
