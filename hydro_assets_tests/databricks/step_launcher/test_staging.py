from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service import jobs
from databricks.sdk.service.workspace import ImportFormat

from hydro_assets.databricks.step_launcher.launcher import _Launched
from hydro_assets.databricks.step_launcher.staging import Report, Stage, StagingError, own_folder
from hydro_assets_tests.databricks.conftest import Workspace

VOLUME = "/Volumes/hydroponics/dagster/steps"


def stage_of(step: str, workspace: Any = None, run: str = "run", attempt: int = 0) -> Stage:
    return Stage.of(workspace, VOLUME, run, step, attempt)


def test_stages__differ_by_run_step_and_attempt_and_are_plain_paths() -> None:
    steps = ["a[x]", "a[y]", "a[温]", "a[ü]", "a_x_", "a" * 300]
    stages = [stage_of(step) for step in steps] + [stage_of("a[x]", run="other"), stage_of("a[x]", attempt=1)]
    directories = [stage.directory for stage in stages]
    assert len(set(directories)) == len(directories)
    for directory in directories:
        assert directory.isascii()
        assert set(directory.removeprefix(VOLUME + "/steps/")) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
        )
        assert len(directory) < 200


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> WorkspaceClient:
    return WorkspaceClient(host=workspace.host, token="pat")


def report(stdout: str) -> bytes:
    return gzip.compress(json.dumps({"events": "", "stdout": stdout, "stderr": "", "crash": None}).encode())


@pytest.mark.databricks
def test_reports__come_once_in_order_and_wait_for_the_one_being_written(client: WorkspaceClient) -> None:
    stage = stage_of("reports", client)
    stage.create()
    for number in (1, 0):
        stage.upload(f"report_{number:06d}.json.gz", report(f"{number}"))
    whole = report("2")
    stage.upload("report_000002.json.gz", whole[:-9])
    stage.upload("report_000003.json.gz", report("3"))
    assert list(stage.take_reports()) == [Report("", "0", "", None), Report("", "1", "", None)]
    for written in (0, 1, 9, 11, len(whole) - 1):  # nothing, a part of the header, no content, no check sum
        stage.upload("report_000002.json.gz", whole[:written])
        assert list(stage.take_reports()) == []
    stage.upload("report_000002.json.gz", report("2"))
    assert [r.stdout for r in stage.take_reports()] == ["2", "3"]
    assert list(stage.take_reports()) == []
    stage.upload("launch.pkl", b"x")
    stage.remove()
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(stage.directory)
    assert list(stage.take_reports()) == []


@pytest.mark.databricks
def test_code__is_uploaded_once(client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stage_of("code", client)
    path = stage.upload_once("code", "abc.zip", b"content")
    monkeypatch.setattr(client.files, "upload", lambda *a, **k: pytest.fail("uploaded again"))
    assert stage.upload_once("code", "abc.zip", b"content") == path == f"{VOLUME}/code/abc.zip"


@pytest.mark.databricks
def test_script__lies_in_the_folder_of_who_launches(client: WorkspaceClient, tmp_path: Path) -> None:
    (script := tmp_path / "entry.py").write_bytes(b"print('ours')\n")
    folder = own_folder(client)
    assert folder == f"/Workspace/Users/{client.current_user.me().user_name}/hydro_assets"
    path, sha256 = stage_of("script", client).upload_script(folder, script)
    assert path.startswith(f"{folder}/entry_{sha256[:12]}")
    assert stage_of("script", client).upload_script(folder, script) == (path, sha256)


@pytest.mark.databricks
def test_script__that_somebody_changed_is_not_launched(client: WorkspaceClient, tmp_path: Path) -> None:
    (script := tmp_path / "changed.py").write_bytes(b"print('ours')\n")
    path, _ = stage_of("script", client).upload_script(own_folder(client), script)
    theirs = base64.b64encode(b"print('theirs')\n").decode()
    client.workspace.import_(path, content=theirs, format=ImportFormat.AUTO, overwrite=True)
    with pytest.raises(StagingError, match="is not the script that this host put there"):
        stage_of("script", client).upload_script(own_folder(client), script)


def run(life_cycle: str, result: str | None = None, task_result: str | None = None, message: str = "") -> jobs.Run:
    task = {"task_key": "dagster-step", "state": {"result_state": task_result, "state_message": message}}
    state = {"life_cycle_state": life_cycle, "result_state": result, "state_message": message}
    return jobs.Run.from_dict({"run_id": 1, "state": state, "tasks": [task]})


Spoken = dg.DagsterEventType.STEP_SUCCESS


@pytest.mark.parametrize(
    ("outcome", "seen", "ended"),
    [
        (None, run("QUEUED"), False),
        (None, run("RUNNING"), False),
        (None, run("TERMINATING"), False),  # its last report may still be on the way
        (Spoken, run("TERMINATING"), True),
        (Spoken, run("RUNNING"), False),
        (None, run("TERMINATED", "SUCCESS_WITH_FAILURES"), True),
        (None, run("TERMINATED", "UPSTREAM_CANCELED"), True),
        (None, run("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED"), True),
        (None, run("INTERNAL_ERROR", "FAILED"), True),
    ],
    ids=lambda v: f"{v.state.life_cycle_state.name}" if isinstance(v, jobs.Run) else None,
)
def test_run__has_ended_in_every_terminal_state(outcome: Any, seen: jobs.Run, ended: bool) -> None:
    step = _Launched(1, "", outcome=outcome)
    step.observe(seen)
    assert step.ended == ended


def test_run__tells_the_results_of_its_task_too() -> None:
    step = _Launched(1, "")
    step.observe(run("TERMINATED", "FAILED", "TIMEDOUT", "took too long"))
    assert step.results == {jobs.RunResultState.FAILED, jobs.RunResultState.TIMEDOUT}
    assert step.message == "took too long"
