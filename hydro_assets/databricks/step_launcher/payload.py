"""What travels to the cluster with a step, and what must not."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping

from dagster import (
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionsDefinition,
    StepExecutionContext,
    StepRunRef,
    step_context_to_step_run_ref,
)
from dagster._core.code_pointer import ModuleCodePointer, PackageCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster_shared.record import replace
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError

from hydro_assets.databricks.step_launcher.config import StepLauncherConfig
from hydro_assets.errors import SettingsError

_HOST_CREDENTIALS = ("DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "ARM_CLIENT_SECRET")


def launch_payload(
    config: StepLauncherConfig, step_context: StepExecutionContext, environment: Mapping[str, str]
) -> bytes:
    """The step, its environment and what the host knows of partitions and data versions, pickled.

    Raises:
        SettingsError: the run cannot be rebuilt in another process, or a credential of this host would travel in clear.
    """
    if not isinstance(step_context.job, ReconstructableJob):
        raise SettingsError(
            "this run lives in one process (materialize() or execute_in_process()) and cannot be launched",
            "Start it from the UI, a sensor, `dagster asset materialize` or `dagster job execute`, or set target local",
        )
    step_context.fetch_external_input_asset_version_info()
    payload = pickle.dumps(
        {
            "step_run_ref": _from_the_archive(step_context_to_step_run_ref(step_context, config.source_root)),
            "input_versions": dict(step_context._data_version_cache.input_asset_version_info),
            "dynamic_partitions": _dynamic_partitions(step_context),
            "env": dict(environment),
            "secrets": [secret.model_dump() for secret in config.secrets],
        }
    )
    credentials = {config.token, config.oauth_client_secret, config.azure_client_secret}
    credentials |= {os.environ.get(name, "") for name in _HOST_CREDENTIALS}
    credentials |= {os.environ.get(secret.name, "") for secret in config.secrets}
    if any(value and value.encode() in payload for value in credentials):
        raise SettingsError(
            "a credential of this host stands in the run's config, tags or env, which are staged in clear",
            "Give it as a secret of step_launcher instead",
        )
    return payload


def require_secrets(config: StepLauncherConfig, workspace: WorkspaceClient) -> None:
    """Look for the step's secrets before a cluster is paid for; values are not read.

    Raises:
        SettingsError: names every secret and scope that cannot be found.
    """
    missing: list[str] = []
    for scope in sorted({secret.scope for secret in config.secrets}):
        wanted = {secret.key for secret in config.secrets if secret.scope == scope}
        try:
            found = {secret.key for secret in workspace.secrets.list_secrets(scope)}
        except DatabricksError as error:
            missing.append(f"scope {scope} ({error})")
        else:
            missing += [f"{scope}/{key}" for key in sorted(wanted - found)]
    if missing:
        raise SettingsError(
            f"the launched step needs secrets that cannot be found: {', '.join(missing)}",
            "Create them with `databricks secrets put-secret`, and give whoever runs the job READ on the scope",
        )


def _from_the_archive(reference: StepRunRef) -> StepRunRef:
    """Without the host's working directory: Dagster would import from a folder of that name before the shipped code."""
    repository = reference.recon_job.repository
    if not isinstance(repository.pointer, ModuleCodePointer | PackageCodePointer):
        return reference
    pointer = replace(repository.pointer, working_directory=None)
    return reference._replace(recon_job=reference.recon_job._replace(repository=repository._replace(pointer=pointer)))


def _dynamic_partitions(step_context: StepExecutionContext) -> dict[str, list[str]]:
    """Keys of every dynamic partitions definition of the job: they live in the host's instance, not in the code."""
    definitions: list[PartitionsDefinition] = []
    for node in step_context.job_def.asset_layer.asset_graph.asset_nodes:
        definition = node.partitions_def
        if isinstance(definition, MultiPartitionsDefinition):
            definitions += [dimension.partitions_def for dimension in definition.partitions_defs]
        elif definition is not None:
            definitions.append(definition)
    names = {d.name for d in definitions if isinstance(d, DynamicPartitionsDefinition) and d.name}
    return {name: list(step_context.instance.get_dynamic_partitions(name)) for name in sorted(names)}
