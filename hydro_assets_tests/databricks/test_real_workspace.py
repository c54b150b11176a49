"""Two toys on a real workspace, serverless, and the same on the emulated one, so that the tests themselves are tested.

Opt-in: HYDRO_DATABRICKS_TEST=1, DATABRICKS_HOST and credentials as the Databricks SDK finds them, and a volume to which
they may write: TOY_VOLUME=/Volumes/<catalog>/<schema>/<volume>.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import RunResultState

from hydro_assets_tests.builders.toy_assets import VOLUME
from hydro_assets_tests.databricks.conftest import Finished

CHOSEN = os.environ.get("HYDRO_DATABRICKS_TEST") == "1"
REAL = [pytest.mark.workspace, pytest.mark.skipif(not CHOSEN, reason="needs a workspace: HYDRO_DATABRICKS_TEST=1")]
Run = Callable[..., Finished]


@pytest.fixture(
    params=[
        pytest.param("run", id="emulated", marks=pytest.mark.databricks),
        pytest.param("run_toys", id="real", marks=REAL),
    ]
)
def run_there(request: pytest.FixtureRequest) -> Run:
    return request.getfixturevalue(request.param)


def test_workspace__runs_a_step_and_is_left_clean(run_there: Run) -> None:
    finished = run_there("readings", partition="2026-01-03")
    assert finished.result.success, finished.log()
    left = [entry.name for entry in WorkspaceClient().files.list_directory_contents(f"{VOLUME}/steps")]
    assert not [name for name in left if name and name.startswith(finished.result.run_id)]


def test_workspace__shows_a_user_error_on_both_sides(run_there: Run) -> None:
    finished = run_there("user_error")
    assert "pH of -1 is no reading" in finished.error("user_error")
    (run_id,) = re.findall(
        r"Waiting for Databricks run (\d+)", "\n".join(e.message or "" for e in finished.result.all_events)
    )
    state = WorkspaceClient().jobs.wait_get_run_job_terminated_or_skipped(int(run_id)).state
    assert state is not None
    assert state.result_state == RunResultState.FAILED
