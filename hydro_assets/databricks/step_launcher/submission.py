"""Configuration in the words of the Databricks Jobs API, and in those of dagster-databricks' own launcher."""

from __future__ import annotations

from typing import Any

from databricks.sdk.service import compute, jobs

from hydro_assets.databricks.requirements import (
    cluster_requirements,
    require_python_of,
    serverless_requirements,
    serverless_version,
)
from hydro_assets.databricks.step_launcher.config import Compute, Permission, StepLauncherConfig
from hydro_assets.errors import SettingsError


def submit_arguments(
    config: StepLauncherConfig, place: Compute, script: str, parameter: str, torch: bool = True
) -> dict[str, Any]:
    """Arguments of `jobs.submit` for one Python task on `place`, without name and idempotency token.

    `torch`: whether the step needs PyTorch.

    Raises:
        SettingsError: `new_cluster` has a field that the Jobs API does not know, or the environment another Python.
    """
    task: dict[str, Any] = {
        "task_key": "dagster-step",
        "timeout_seconds": place.timeout_seconds,
        "spark_python_task": {"python_file": script, "parameters": [parameter]},
    }
    environments = None
    if place.new_cluster or place.existing_cluster_id:
        task["libraries"] = [{"pypi": {"package": r}} for r in libraries_of(place, torch)]
        if place.new_cluster:
            task["new_cluster"] = _known_fields(place.new_cluster)
        else:
            task["existing_cluster_id"] = place.existing_cluster_id
    else:
        version = place.environment_version or serverless_version()
        require_python_of(version)
        requirements = serverless_requirements(version, torch) if place.dependencies is None else place.dependencies
        task["environment_key"] = "step"
        environments = [
            jobs.JobEnvironment("step", compute.Environment(environment_version=version, dependencies=requirements))
        ]
    return {
        "tasks": [jobs.SubmitTask.from_dict(task)],
        "environments": environments,
        "timeout_seconds": place.timeout_seconds,
        "access_control_list": [jobs.JobAccessControlRequest.from_dict(_given(p)) for p in config.permissions] or None,
    }


def libraries_of(place: Compute, torch: bool = True) -> list[str]:
    return cluster_requirements(torch) if place.dependencies is None else place.dependencies


def dagster_run_config(place: Compute) -> dict[str, Any]:
    """`run_config` of dagster-databricks for `place`; it names sizes and nodes of a cluster in its own way.

    Raises:
        SettingsError: `place` is serverless, which that launcher cannot use.
    """
    if place.existing_cluster_id:
        cluster: dict[str, Any] = {"existing": place.existing_cluster_id}
    elif place.new_cluster:
        new = dict(place.new_cluster)
        size = {key: new.pop(key) for key in ("num_workers", "autoscale") if key in new} or {"num_workers": 0}
        nodes: dict[str, Any] = {
            key: new.pop(key) for key in ("instance_pool_id", "driver_instance_pool_id") if key in new
        }
        types = {key: new.pop(key) for key in ("node_type_id", "driver_node_type_id") if key in new}
        cluster = {"new": {**new, "size": size, "nodes": {**nodes, "node_types": types} if types else nodes}}
    else:
        raise SettingsError(
            "staging dbfs runs on clusters only, and none is configured",
            "Give new_cluster or existing_cluster_id of step_launcher, or use staging volume",
        )
    return {
        "cluster": cluster,
        "libraries": [{"pypi": {"package": r}} for r in libraries_of(place)],
        "timeout_seconds": place.timeout_seconds,
    }


def dagster_permissions(config: StepLauncherConfig) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Permissions as dagster-databricks takes them: principals by level."""
    grouped: dict[str, dict[str, list[dict[str, str]]]] = {}
    kinds = {"job_permissions": config.permissions, "cluster_permissions": config.cluster_permissions}
    for kind, permissions in kinds.items():
        for permission in permissions:
            principal = _given(permission)
            level = principal.pop("permission_level")
            grouped.setdefault(kind, {}).setdefault(level, []).append(principal)
    return grouped


def access_control(permissions: list[Permission]) -> list[dict[str, str]]:
    return [_given(permission) for permission in permissions]


def _given(permission: Permission) -> dict[str, str]:
    return permission.model_dump(exclude_none=True)


def _known_fields(new_cluster: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(new_cluster) - set(compute.ClusterSpec.__dataclass_fields__))
    if unknown:
        raise SettingsError(
            f"new_cluster of step_launcher has unknown fields: {', '.join(unknown)}",
            "Use the field names of new_cluster in the Databricks Jobs API",
        )
    return new_cluster
