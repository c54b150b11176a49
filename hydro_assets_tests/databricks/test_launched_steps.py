"""Toy assets launched on an emulated workspace: real SDK, real REST, a second environment as the cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from hydro_assets.databricks.step_launcher.staging import Stage
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource
from hydro_assets.pipeline.training import GIT_COMMIT
from hydro_assets_tests.databricks.conftest import REPOSITORY, Finished, Workspace

pytestmark = pytest.mark.databricks
Run = Callable[..., Finished]


def test_launched_assets__equal_those_run_here_and_leave_nothing_staged(run: Run, workspace: Workspace) -> None:
    before = workspace.staged()
    here, there = (run("readings", "features", partition="2026-01-03", launch=launch) for launch in (False, True))
    assert here.result.success
    assert there.result.success
    assert here.metadata("features") == {"on_cluster": False}
    assert there.metadata("features") == {"on_cluster": True}
    assert here.metadata("readings") == there.metadata("readings") == {"day": "2026-01-03"}
    tags = [run.result.asset_materializations_for_node("features")[0].tags or {} for run in (here, there)]
    key = "dagster/input_data_version/readings"
    assert tags[0][key] == tags[1][key] != "INITIAL"
    assert tags[0]["dagster/data_version"] == tags[1]["dagster/data_version"]
    assert workspace.result_of("features") == "SUCCESS"
    assert workspace.staged() == before


def test_output_of_a_step__is_in_dagsters_compute_logs_and_on_the_page_of_the_run(
    run: Run, workspace: Workspace
) -> None:
    finished = run("readings", partition="2026-01-04")
    (captured,) = [e.logs_captured_data for e in finished.result.all_events if e.event_type_value == "LOGS_CAPTURED"]
    key = finished.instance.compute_log_manager.build_log_key_for_run(finished.result.run_id, captured.file_key)
    compute_logs = finished.instance.compute_log_manager.get_log_data(key).stdout or b""
    assert b"reading 2026-01-04 on emulated" in compute_logs
    assert "reading 2026-01-04 on emulated" in workspace_run_output(workspace, "readings")


def test_launched_step__runs_the_shipped_code_even_where_the_hosts_folder_exists(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GIT_COMMIT, "0123abc")
    here, there = (run("tells_code", launch=launch).metadata("tells_code") for launch in (False, True))
    assert (here.pop("commit"), there.pop("commit")) == ("0123abc", "0123abc")
    assert all(Path(file).is_relative_to(REPOSITORY) for file in here.values())
    assert all("hydro_step_" in file for file in there.values()), there


def test_user_error__is_red_on_both_sides_with_its_traceback(run: Run, workspace: Workspace) -> None:
    finished = run("user_error")
    assert finished.outcomes("user_error") == ["STEP_START", "STEP_FAILURE"]
    assert "pH of -1 is no reading" in finished.error("user_error")
    assert workspace.result_of("user_error") == "FAILED"


def test_user_error__is_retried_as_a_new_run(run: Run, workspace: Workspace) -> None:
    finished = run("error_once")
    assert finished.result.success
    assert [kind for kind in finished.outcomes("error_once") if kind != "STEP_START"] == [
        "STEP_UP_FOR_RETRY",
        "STEP_RESTARTED",
        "STEP_SUCCESS",
    ]
    assert [result for name, result in workspace.runs() if name == "error_once"] == ["FAILED", "SUCCESS"]


def test_lost_cluster__is_retried_by_the_assets_policy(run: Run) -> None:
    finished = run("cluster_lost_once")
    assert finished.result.success
    assert finished.outcomes("cluster_lost_once").count("STEP_UP_FOR_RETRY") == 1


def test_lost_cluster__without_a_policy_fails_with_what_it_last_printed(run: Run) -> None:
    finished = run("cluster_lost")
    assert finished.outcomes("cluster_lost")[-1] == "STEP_FAILURE"
    assert "STEP_SUCCESS" not in finished.log()
    error = finished.error("cluster_lost")
    assert "ended without a result of the step" in error
    assert "out of memory in native code" in error


def test_cluster_that_dies_after_success__is_one_success(run: Run, workspace: Workspace) -> None:
    finished = run("dies_after_success")
    assert finished.outcomes("dies_after_success") == ["STEP_START", "STEP_SUCCESS"]
    assert workspace.result_of("dies_after_success") == "FAILED"
    assert "ended badly" in finished.log()


def test_resource_that_fails_on_the_cluster__is_one_failure_without_a_retry(run: Run) -> None:
    finished = run("resource_fails")
    assert finished.outcomes("resource_fails") == ["STEP_FAILURE"]
    assert "no route to the tracking server" in finished.error("resource_fails")


def test_timeout__stops_the_run_and_is_not_retried(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOY_TIMEOUT", "5")
    monkeypatch.setenv("TOY_RELEASE", str(tmp_path / "never"))
    finished = run("never_ends")
    assert finished.outcomes("never_ends")[-1] == "STEP_FAILURE"
    assert "STEP_UP_FOR_RETRY" not in finished.log()
    assert "timed out" in finished.error("never_ends")


def test_two_steps_at_once__run_side_by_side(run: Run) -> None:
    finished = run("side_1", "side_2", multiprocess=True)
    assert finished.result.success
    spans = [finished.metadata(step) for step in ("side_1", "side_2")]
    assert max(span["from"] for span in spans) < min(span["until"] for span in spans)


def test_long_log__arrives_whole_and_in_order(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    finished = run("long_log")
    assert finished.result.success
    assert time.monotonic() - started < 60
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert lines == [f"epoch {number}: loss 0.0{number}" for number in range(50_000)]
    logged = [e.user_message for e in finished.instance.all_logs(finished.result.run_id) if e.level == 20]
    assert [m for m in logged if m.startswith("event ")] == [f"event {number}" for number in range(300)]


def test_dynamic_partition__with_any_name_is_known_on_the_cluster(run: Run, instance: dg.DagsterInstance) -> None:
    farm = "温室 [3] Køkkenhave/b%20"
    instance.add_dynamic_partitions("farms", [farm, "another"])
    finished = run("by_farm", partition=farm)
    assert finished.result.success
    assert finished.metadata("by_farm") == {"farm": farm}


def test_steps_with_brackets__are_staged_apart(run: Run) -> None:
    finished = run(job="fan_out")
    assert finished.result.success
    assert [finished.outcomes(f"bracketed[{key}]") for key in "ab"] == [["STEP_START", "STEP_SUCCESS"]] * 2


def test_missing_secret__stops_before_anything_is_submitted(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_SECRET", "nowhere")
    before = len(workspace.runs())
    finished = run("tells_secret")
    assert "hydro/nowhere" in finished.error("tells_secret")
    assert "put-secret" in finished.error("tells_secret")
    assert len(workspace.runs()) == before


def test_missing_variable__stops_before_anything_is_submitted(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_ENV_NAMES", "TOY_FARM TOY_CROP")
    before = len(workspace.runs())
    finished = run("needs_variable")
    assert "TOY_FARM, TOY_CROP, not set on this host" in finished.error("needs_variable")
    assert len(workspace.runs()) == before


def test_variable_that_was_not_shipped__is_missing_on_the_cluster(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_FARM", "north")
    assert "KeyError: 'TOY_FARM'" in run("needs_variable").error("needs_variable")
    monkeypatch.setenv("TOY_ENV_NAMES", "TOY_FARM")
    assert run("needs_variable").metadata("needs_variable") == {"farm": "north"}


@pytest.mark.parametrize("step", ["tells_secret", "tells_secret_and_fails"])
def test_secret__is_in_no_staged_file_and_no_log(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], step: str
) -> None:
    canary = f'canary-"quoted"-{step}-ünïcode'
    workspace.put_secret("canary", canary)
    monkeypatch.setenv("TOY_SECRET", "canary")
    staged: list[bytes] = []
    upload = Stage.upload

    def watched(stage: Stage, name: str, content: bytes) -> str:
        staged.append(content)
        return upload(stage, name, content)

    monkeypatch.setattr(Stage, "upload", watched)
    finished = run(step)
    assert finished.result.success == (step == "tells_secret")
    output = "".join(capfd.readouterr())
    seen = [output, finished.log(), json.dumps(workspace.get("/api/2.2/jobs/runs/list"))]
    seen += [workspace_run_output(workspace, step)]
    assert "[REDACTED]" in finished.log()
    for text in seen:
        assert canary not in text
        assert json.dumps(canary)[1:-1] not in text
    assert staged
    for content in [*staged, *(path.read_bytes() for path in (workspace.data / "dbfs").rglob("*") if path.is_file())]:
        assert canary.encode() not in content
        assert b"dapi-of-the-host" not in content


def workspace_run_output(workspace: Workspace, step: str) -> str:
    ids = [r["run_id"] for r in workspace.get("/api/2.2/jobs/runs/list")["runs"] if r["run_name"].endswith(f"/{step}")]
    return json.dumps(workspace.get(f"/api/2.2/jobs/runs/get-output?run_id={ids[-1]}"), ensure_ascii=False)


def test_run_in_one_process__is_told_how_to_be_launched(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", "pat")

    @dg.asset(required_resource_keys={"step_launcher"})
    def asset() -> None: ...

    result = dg.materialize(
        [asset], resources={"step_launcher": StepLauncherResource(target="databricks")}, raise_on_error=False
    )
    failure = result.failure_data_for_node("asset")
    assert failure is not None
    assert "dagster asset materialize" in failure.error.to_string()
