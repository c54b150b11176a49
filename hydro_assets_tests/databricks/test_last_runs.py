"""What `hydro verify` learns of a workspace: real SDK against an emulated one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.mixins.jobs import JobsExt
from databricks.sdk.service.jobs import SparkPythonTask, Task

from hydro_assets.databricks import last_runs
from hydro_assets.databricks.last_runs import WorkspaceError, newest_runs
from hydro_assets.databricks.plain_jobs import INFERENCE_JOB, TRAINING_JOB
from hydro_assets.settings import Settings
from hydro_assets_tests.databricks.conftest import Finished, Workspace

pytestmark = pytest.mark.databricks
SCRIPT = "import sys; sys.exit(sys.argv[-1] == 'fail')"
Make = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _host(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", "pat")


@pytest.fixture
def make(make_settings: Make) -> Make:
    return lambda catalog, **fields: make_settings(environment="databricks", catalog=catalog, **fields)


@pytest.fixture
def run_job(workspace: Workspace) -> Callable[..., None]:
    """Creates a job of that name for a catalog and runs it to its end, once per word."""
    script = workspace.data / "workspace" / "Workspace" / "verify" / "task.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(SCRIPT)
    client = WorkspaceClient()

    def run(name: str, catalog: str, *words: str) -> None:
        task = SparkPythonTask("/Workspace/verify/task.py", ["/code", "train", "lstm", catalog])
        job = client.jobs.create(name=name, tasks=[Task("only", spark_python_task=task)])
        for word in words:
            client.jobs.run_now(job.job_id or 0, python_params=[*(task.parameters or []), word]).result()

    return run


def states(settings: Settings) -> list[tuple[str, str, bool]]:
    return [(run.job, run.state, run.is_success) for run in newest_runs(settings)]


def test_newest_run__of_each_job_of_this_catalog(run_job: Callable[..., None], make: Make) -> None:
    run_job(TRAINING_JOB, "north", "fail", "succeed")
    run_job(TRAINING_JOB, "south", "fail")
    run_job(INFERENCE_JOB, "north", "succeed", "fail")
    assert states(make("north")) == [(TRAINING_JOB, "SUCCESS", True), (INFERENCE_JOB, "FAILED", False)]
    assert states(make("south")) == [(TRAINING_JOB, "FAILED", False)]


def test_newest_run__has_its_start_and_its_page(run_job: Callable[..., None], make: Make, workspace: Workspace) -> None:
    run_job(TRAINING_JOB, "west", "succeed")
    (found,) = newest_runs(make("west"))
    assert found.started is not None
    assert (
        found.started.timestamp() * 1000 == workspace.get(f"/api/2.2/jobs/runs/get?run_id={found.run_id}")["start_time"]
    )
    assert str(found.url).startswith(workspace.host)
    assert found.run_id in str(found.url)


def test_job_of_a_bundle_in_development__is_found_by_the_name_it_has_there(
    run_job: Callable[..., None], make: Make
) -> None:
    run_job(f"[dev minilake_user] {TRAINING_JOB}", "dev_farm", "succeed")
    assert states(make("dev_farm")) == [(f"[dev minilake_user] {TRAINING_JOB}", "SUCCESS", True)]


def test_step_that_dagster_launched__is_found_by_its_volume(
    run: Callable[..., Finished], make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = "/Volumes/east/dagster/steps"
    monkeypatch.setenv("TOY_VOLUME", volume)
    run("user_error")
    run("readings", partition="2026-01-03")
    assert states(make("east")) == [("__ASSET_JOB/readings", "SUCCESS", True)]
    with pytest.raises(WorkspaceError):
        newest_runs(make("east", step_launcher={"volume": f"{volume}_of_others"}))


def test_workspace_without_runs__is_told_what_to_run(make: Make, workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match=f"{workspace.host} shows no run .* for catalog nobody.*bundle run"):
        newest_runs(make("nobody"))


@pytest.mark.parametrize(
    "refused",
    [
        PermissionDenied("User does not have permission to list jobs"),
        ValueError("cannot configure default credentials"),
    ],
    ids=["no permission", "no credentials"],
)
def test_refused_question__names_the_reason_and_the_remedy(
    make: Make, monkeypatch: pytest.MonkeyPatch, refused: Exception
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise refused

    monkeypatch.setattr(JobsExt, "list", refuse)
    with pytest.raises(WorkspaceError, match=f"{refused}.*credentials; who asks needs CAN_VIEW"):
        newest_runs(make("north"))


def test_workspace_that_does_not_answer__is_given_up_soon(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setattr(last_runs, "_SECONDS", 1)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        newest_runs(make("north"))
