"""The host's side of a launched step: stage, submit, follow, and let the step speak once.

`VolumeStepLauncher` is a `DatabricksPySparkStepLauncher` of dagster-databricks that stages through a Unity Catalog
volume and a workspace file instead of DBFS, which new accounts lack. Only this module knows dagster-databricks. It
rests on private paths of Dagster, hence the exact pin.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import (
    DagsterEvent,
    DagsterEventType,
    StepExecutionContext,
    deserialize_value,
    raise_execution_interrupts,
)
from dagster_databricks import DatabricksPySparkStepLauncher
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service import iam, jobs

from hydro_assets.databricks.code_archive import code_archive
from hydro_assets.databricks.step_launcher.config import IN_LAUNCHED_STEP, TORCH_TAG, StepLauncherConfig
from hydro_assets.databricks.step_launcher.payload import launch_payload, require_secrets
from hydro_assets.databricks.step_launcher.staging import Stage, own_folder
from hydro_assets.databricks.step_launcher.submission import (
    access_control,
    dagster_permissions,
    dagster_run_config,
    submit_arguments,
)
from hydro_assets.errors import HydroError
from hydro_assets.pipeline.training import GIT_COMMIT, git_commit

_TERMINAL = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY}
_ENDED = {jobs.RunLifeCycleState.TERMINATED, jobs.RunLifeCycleState.SKIPPED, jobs.RunLifeCycleState.INTERNAL_ERROR}
_NOT_RETRIED = {jobs.RunResultState.TIMEDOUT, jobs.RunResultState.CANCELED}


class LaunchedStepError(HydroError):
    """A step was launched on Databricks, and its run ended without a result of the step."""


@dataclass
class _Launched:
    """What is known of a launched step while it is followed."""

    run_id: int
    place: str
    outcome: DagsterEventType | None = None
    outcome_at: float = 0.0
    crash: str | None = None
    ended: bool = False
    results: frozenset[jobs.RunResultState] = frozenset()
    message: str = ""

    def observe(self, run: jobs.Run) -> None:
        """Take over the state of the run and its task. A step that has spoken need not wait for its cluster to stop."""
        states = [state for state in (run.state, *(task.state for task in run.tasks or [])) if state]
        life_cycle = run.state.life_cycle_state if run.state else None
        self.ended = life_cycle in _ENDED or (
            self.outcome is not None and life_cycle == jobs.RunLifeCycleState.TERMINATING
        )
        self.results = frozenset(state.result_state for state in states if state.result_state)
        self.message = "; ".join(dict.fromkeys(state.state_message for state in states if state.state_message))
        self.place = f"Databricks run {self.run_id} ({run.run_page_url})"


class VolumeStepLauncher(DatabricksPySparkStepLauncher):
    """Runs each step as one Databricks run, staged through a Unity Catalog volume."""

    def __init__(self, config: StepLauncherConfig) -> None:
        super().__init__(
            **_common_arguments(config), env_variables={}, run_config={}, permissions={}, staging_prefix=config.volume
        )
        self._config = config

    @property
    def _workspace(self) -> WorkspaceClient:
        return self.databricks_runner.client.workspace_client

    def launch_step(self, step_context: StepExecutionContext) -> Iterator[DagsterEvent]:
        """Submit the step and replay its events; exactly one terminal event comes out.

        Raises:
            SettingsError: the step cannot be launched as configured; nothing was submitted.
            LaunchedStepError: the run ended without a result of the step and is not to be retried.
            RetryRequested: the run was lost, and the asset has a retry policy.
        """
        stage = Stage.of(
            self._workspace,
            self._config.volume,
            step_context.run_id,
            step_context.step.key,
            step_context.previous_attempt_count,
        )
        step = self._submit(step_context, stage)
        try:
            yield self.get_databricks_run_dagster_event(step_context, step.run_id)
            yield from self._follow(step_context, stage, step)
        finally:
            if not step.ended:  # interrupted, given up or failing here: nothing goes on unobserved
                self._cancel(step_context, step)
        if step.outcome is None:
            raise self._without_result(step_context, stage, step)
        if step.outcome == DagsterEventType.STEP_SUCCESS:
            if step.results - {jobs.RunResultState.SUCCESS}:
                step_context.log.warning(f"The step succeeded; then {step.place} ended badly: {step.message}")
            self._remove(step_context, stage)

    def _submit(self, step_context: StepExecutionContext, stage: Stage) -> _Launched:
        config = self._config
        require_secrets(config, self._workspace)
        environment = {**self.get_dagster_env_variables(), **_code_environment(), **config.step_environment()}
        launch = launch_payload(config, step_context, environment)
        code, code_sha256 = code_archive(Path(config.source_root), config.packages)
        folder = config.workspace_dir or own_folder(self._workspace)
        script, script_sha256 = stage.upload_script(folder, Path(__file__).with_name("entry.py"))
        stage.create()
        parameter = {
            "stage": stage.directory,
            "entry": script,
            "entry_sha256": script_sha256,
            "launch": stage.upload("launch.pkl", launch),
            "launch_sha256": hashlib.sha256(launch).hexdigest(),
            "code": stage.upload_once("code", f"{code_sha256[:16]}.zip", code),
            "code_sha256": code_sha256,
            "python": "{}.{}".format(*sys.version_info),
            "dagster": dg.__version__,
            "flush_seconds": min(config.poll_seconds, 5.0),
        }
        tags = step_context.op_def.tags
        submitted = self._workspace.jobs.submit(
            run_name=f"{step_context.job_name}/{step_context.step.key}",
            # One attempt is never started twice, not even when the answer to this request is lost; the next one is.
            idempotency_token=hashlib.sha256(stage.directory.encode()).hexdigest(),
            **submit_arguments(
                config, config.compute_for(tags), script, json.dumps(parameter), torch=tags.get(TORCH_TAG) != "no"
            ),
        )
        run_id: int = submitted.bind()["run_id"]
        return _Launched(run_id, f"Databricks run {run_id}")

    def _follow(self, step_context: StepExecutionContext, stage: Stage, step: _Launched) -> Iterator[DagsterEvent]:
        place = self._config.compute_for(step_context.op_def.tags)
        patience = place.timeout_seconds + self._config.start_timeout_seconds
        deadline = time.monotonic() + patience
        to_grant = bool(self._config.cluster_permissions and place.new_cluster)
        while not step.ended:
            with raise_execution_interrupts():
                time.sleep(self._config.poll_seconds)
                run = self._workspace.jobs.get_run(step.run_id)
            if to_grant and run.tasks and run.tasks[0].cluster_instance:
                self._grant(str(run.tasks[0].cluster_instance.cluster_id))
                to_grant = False
            # State first, reports second: what a run reported before it ended is never left behind.
            step.observe(run)
            for report in stage.take_reports():
                sys.stdout.write(report.stdout)  # Dagster's compute logs, not its event log
                sys.stderr.write(report.stderr)
                step.crash = report.crash or step.crash
                yield from self._replay(step_context, step, report.events)
            now = time.monotonic()
            if step.outcome and not step.ended and now > step.outcome_at + self._config.linger_seconds:
                step_context.log.warning(f"{step.place} goes on after its step ended; it is cancelled")
                return
            if not step.outcome and not step.ended and now > deadline:
                step.message = f"no result after {patience} s, time in the queue included"
                step.results = frozenset({jobs.RunResultState.TIMEDOUT})
                return

    def _replay(self, step_context: StepExecutionContext, step: _Launched, events: str) -> Iterator[DagsterEvent]:
        """Store the cluster's events as they happened there, and pass the step's on."""
        for entry in deserialize_value(events, list) if events else []:
            event = entry.dagster_event
            is_terminal = event is not None and event.event_type in _TERMINAL
            if is_terminal and step.outcome:
                continue
            step_context.instance.handle_new_event(entry)
            if event is not None and is_terminal:
                step.outcome, step.outcome_at = event.event_type, time.monotonic()
            # The failure of a resource is followed by a crash, which is raised once: executors end on a second failure.
            if event is not None and event.event_type != DagsterEventType.RESOURCE_INIT_FAILURE:
                yield event

    def _without_result(self, step_context: StepExecutionContext, stage: Stage, step: _Launched) -> Exception:
        """The error of a run that ended, or was given up, before its step had a result."""
        if step.crash:
            return LaunchedStepError(
                f"{step.place} could not run the step:\n{step.crash}", "Mend what the traceback names, and run it again"
            )
        error = LaunchedStepError(
            f"{step.place} ended without a result of the step: {step.message}{self._output_tail(step)}",
            f"See the run's page; what was staged is kept in {stage.directory}",
        )
        policy = step_context.op_retry_policy
        if policy is None or step.results & _NOT_RETRIED:
            return error
        retry = dg.RetryRequested(policy.max_retries, policy.calculate_delay(step_context.previous_attempt_count + 1))
        retry.__cause__ = error
        return retry

    def _output_tail(self, step: _Launched) -> str:
        """End of what the lost run printed, as far as Databricks still has it."""
        if not step.ended:
            return ""
        try:
            tasks = self._workspace.jobs.get_run(step.run_id).tasks or []
            output = self._workspace.jobs.get_run_output(tasks[0].run_id) if tasks and tasks[0].run_id else None
        except DatabricksError as error:
            return f"\n(its output cannot be read: {error})"
        text = "\n".join(part for part in (output.error, output.error_trace, output.logs) if part) if output else ""
        return f"\n{text[-4000:]}" if text else ""

    def _grant(self, cluster_id: str) -> None:
        acl = [iam.AccessControlRequest.from_dict(entry) for entry in access_control(self._config.cluster_permissions)]
        self._workspace.permissions.update("clusters", cluster_id, access_control_list=acl)

    def _cancel(self, step_context: StepExecutionContext, step: _Launched) -> None:
        try:
            self._workspace.jobs.cancel_run(step.run_id)
        except OSError as error:  # DatabricksError and lost connections; the first error matters more
            step_context.log.error(f"{step.place} could not be cancelled ({error}); it ends at its own time-out")

    def _remove(self, step_context: StepExecutionContext, stage: Stage) -> None:
        try:
            stage.remove()
        except OSError as error:
            step_context.log.warning(f"{stage.directory} could not be removed: {error}")


def volume_launcher(config: StepLauncherConfig) -> VolumeStepLauncher:
    """The launcher for workspaces with Unity Catalog."""
    with _superseded_on_purpose():
        return VolumeStepLauncher(config)


def dbfs_launcher(config: StepLauncherConfig) -> DatabricksPySparkStepLauncher:
    """dagster-databricks' own launcher, for workspaces with DBFS; it always uses the `cpu` compute."""
    with _superseded_on_purpose():
        return DatabricksPySparkStepLauncher(
            **_common_arguments(config),
            env_variables={**_code_environment(), **config.step_environment(), IN_LAUNCHED_STEP: "1"},
            run_config=dagster_run_config(config.cpu),
            permissions=dagster_permissions(config),
            staging_prefix="/dagster_staging",
        )


def _code_environment() -> dict[str, str]:
    commit = git_commit()
    return {} if commit is None else {GIT_COMMIT: commit}


def _common_arguments(config: StepLauncherConfig) -> dict[str, Any]:
    oauth = {"client_id": config.oauth_client_id, "client_secret": config.oauth_client_secret}
    azure = {
        "azure_client_id": config.azure_client_id,
        "azure_client_secret": config.azure_client_secret,
        "azure_tenant_id": config.azure_tenant_id,
    }
    return {
        "databricks_host": config.workspace_url(),
        "databricks_token": config.token or None,
        "oauth_credentials": oauth if any(oauth.values()) else None,
        "azure_credentials": azure if any(azure.values()) else None,
        "secrets_to_env_variables": [secret.model_dump() for secret in config.secrets],
        "local_dagster_job_package_path": config.source_root,
        "poll_interval_sec": config.poll_seconds,
        "max_completion_wait_time_seconds": config.cpu.timeout_seconds + config.start_timeout_seconds,
        "wait_for_logs": False,
        "verbose_logs": False,
    }


def _superseded_on_purpose() -> warnings.catch_warnings:
    """Step launchers are superseded by Pipes, which would split every asset in two: a choice, not an oversight."""
    return warnings.catch_warnings(action="ignore", category=dg.SupersessionWarning)
