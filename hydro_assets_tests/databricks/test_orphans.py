"""No Databricks run goes on after its launcher was stopped in a normal way: each way, on an emulated workspace."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from hydro_assets_tests.databricks.conftest import REPOSITORY, TOYS, Workspace

pytestmark = pytest.mark.databricks
STEP = "never_ends"


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Path]:
    """The file that lets the step end: the emulation notes a cancellation, and lets the process go on."""
    path = tmp_path / "release"
    yield path
    path.touch()


@pytest.fixture
def host(workspace: Workspace, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a Dagster instance that launches on the workspace."""
    home = tmp_path / "dagster"
    home.mkdir()
    variables = {"DATABRICKS_HOST": workspace.host, "DATABRICKS_TOKEN": "dapi-of-the-host", "DAGSTER_HOME": str(home)}
    for name, value in {**variables, "TOY_LAUNCH": "1", "TOY_RELEASE": str(release)}.items():
        monkeypatch.setenv(name, value)
    return home


def wait_until(is_so: Callable[[], bool], why_not: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, why_not()
        time.sleep(0.2)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("multiprocess", ["0", "1"], ids=["step in the process", "step in a child"])
def test_stopped_process__cancels_its_databricks_run(
    workspace: Workspace,
    host: Path,
    release: Path,
    monkeypatch: pytest.MonkeyPatch,
    sent: signal.Signals,
    multiprocess: str,
) -> None:
    monkeypatch.setenv("TOY_MULTIPROCESS", multiprocess)
    log = host / "log"
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", TOYS, "--select", STEP]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        wait_until(lambda: "started to wait" in log.read_text() or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        process.send_signal(sent)
        assert process.wait(30) != 0
    finally:
        process.kill()
    release.touch()
    assert workspace.result_of(STEP) == "CANCELED"


def test_run_terminated_in_dagster__cancels_its_databricks_run(workspace: Workspace, host: Path, release: Path) -> None:
    target = ModuleTarget(TOYS, attribute="defs", working_directory=str(REPOSITORY), location_name="toys")
    with dg.DagsterInstance.from_config(str(host)) as instance, WorkspaceProcessContext(instance, target) as process:
        location = process.create_request_context().get_code_location("toys")
        job = location.get_repository("__repository__").get_full_job("__ASSET_JOB")
        run_id = create_run_for_test(
            instance,
            job.name,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            asset_selection=frozenset({dg.AssetKey(STEP)}),
        ).run_id
        instance.launch_run(run_id, process.create_request_context())

        def events() -> str:
            return "\n".join(event.message or "" for event in instance.all_logs(run_id))

        wait_until(lambda: any(e.user_message == "started to wait" for e in instance.all_logs(run_id)), events)
        assert instance.run_coordinator.cancel_run(run_id)
        wait_until(lambda: instance.get_run_by_id(run_id).is_finished, events)  # type: ignore[union-attr]
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
    release.touch()
    assert workspace.result_of(STEP) == "CANCELED"
