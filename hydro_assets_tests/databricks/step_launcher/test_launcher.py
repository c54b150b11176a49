"""How a launched step is followed, with a workspace that answers as it is told."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import dagster as dg
import pytest
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service import jobs

from hydro_assets.databricks.step_launcher.config import Compute, Permission
from hydro_assets.databricks.step_launcher.launcher import LaunchedStepError, VolumeStepLauncher, _Launched
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource


def launcher(run: jobs.Run, **fields: Any) -> VolumeStepLauncher:
    config = StepLauncherResource(
        target="databricks", host="https://farm.example", token="t", poll_seconds=0.001, **fields
    )
    made = config.create_resource(dg.build_init_resource_context())
    assert isinstance(made, VolumeStepLauncher)
    workspace = MagicMock()
    workspace.jobs.get_run.return_value = run
    made.databricks_runner.client._workspace_client = workspace
    return made


def run_in(state: str, **task: Any) -> jobs.Run:
    tasks = [{"task_key": "dagster-step", "run_id": 8, **task}]
    return jobs.Run.from_dict({"run_id": 7, "state": {"life_cycle_state": state}, "tasks": tasks})


def context(retry_policy: dg.RetryPolicy | None = None) -> Any:
    return SimpleNamespace(
        op_def=SimpleNamespace(tags={}),
        log=logging.getLogger("step"),
        op_retry_policy=retry_policy,
        previous_attempt_count=0,
        instance=MagicMock(),
    )


SILENT: Any = SimpleNamespace(take_reports=lambda: iter(()), directory="/Volumes/a/b/c/steps/x")


def test_run_that_never_starts__is_given_up_after_its_time_and_the_wait_for_a_start() -> None:
    place = Compute(timeout_seconds=1, dependencies=[])
    made, step = launcher(run_in("PENDING"), cpu=place, start_timeout_seconds=1), _Launched(7, "run 7")
    assert list(made._follow(context(), SILENT, step)) == []
    assert not step.ended  # so that launch_step cancels it
    error = made._without_result(context(dg.RetryPolicy()), SILENT, step)
    assert isinstance(error, LaunchedStepError)
    assert "no result after 2 s" in str(error)


def test_run_that_goes_on_after_its_step__is_left_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    made = launcher(run_in("RUNNING"), linger_seconds=0)
    step = _Launched(7, "run 7", outcome=dg.DagsterEventType.STEP_SUCCESS)
    assert list(made._follow(context(), SILENT, step)) == []
    assert "goes on after its step ended" in caplog.text


def test_lost_run__is_retried_only_with_a_policy_and_keeps_its_reason() -> None:
    made = launcher(run_in("TERMINATED"))
    step = _Launched(7, "run 7", ended=True, results=frozenset({jobs.RunResultState.FAILED}), message="node lost")
    made._workspace.jobs.get_run_output.return_value = jobs.RunOutput(error="spot instance reclaimed")
    assert isinstance(made._without_result(context(), SILENT, step), LaunchedStepError)
    retry = made._without_result(context(dg.RetryPolicy(max_retries=3)), SILENT, step)
    assert isinstance(retry, dg.RetryRequested)
    assert retry.max_retries == 3
    assert "node lost\nspot instance reclaimed" in str(retry.__cause__)


@pytest.mark.parametrize("result", [jobs.RunResultState.TIMEDOUT, jobs.RunResultState.CANCELED])
def test_run_that_was_stopped__is_not_retried(result: jobs.RunResultState) -> None:
    step = _Launched(7, "run 7", results=frozenset({result}))
    error = launcher(run_in("TERMINATED"))._without_result(context(dg.RetryPolicy()), SILENT, step)
    assert isinstance(error, LaunchedStepError)


def test_output_that_cannot_be_read__does_not_hide_the_reason() -> None:
    made = launcher(run_in("TERMINATED"))
    made._workspace.jobs.get_run_output.side_effect = DatabricksError("no such run")
    error = made._without_result(context(), SILENT, _Launched(7, "run 7", ended=True, message="node lost"))
    assert "node lost" in str(error)
    assert "no such run" in str(error)


def test_cancel_that_fails__does_not_hide_the_first_error(caplog: pytest.LogCaptureFixture) -> None:
    made = launcher(run_in("RUNNING"))
    made._workspace.jobs.cancel_run.side_effect = ConnectionError("no network")
    made._cancel(context(), _Launched(7, "run 7"))
    assert "could not be cancelled (no network)" in caplog.text


def test_cluster_permissions__are_granted_once_the_cluster_is_known() -> None:
    run = run_in("TERMINATED", cluster_instance={"cluster_id": "c-9"})
    permission = Permission(permission_level="CAN_ATTACH_TO", group_name="growers")
    place = Compute(new_cluster={"num_workers": 0}, dependencies=[])
    made = launcher(run, cpu=place, cluster_permissions=[permission])
    list(made._follow(context(), SILENT, _Launched(7, "run 7")))
    (kind, cluster), acl = made._workspace.permissions.update.call_args
    assert (kind, cluster) == ("clusters", "c-9")
    assert [entry.as_dict() for entry in acl["access_control_list"]] == [permission.model_dump(exclude_none=True)]
