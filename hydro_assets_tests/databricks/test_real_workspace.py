"""The same toys on a real workspace, serverless. Opt-in: HYDRO_DATABRICKS_TEST=1, DATABRICKS_HOST and credentials as
the Databricks SDK finds them, and a volume to which they may write: TOY_VOLUME=/Volumes/<catalog>/<schema>/<volume>.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from databricks.sdk import WorkspaceClient

from hydro_assets_tests.databricks.conftest import Finished
from hydro_assets_tests.databricks.toy_assets import VOLUME

CHOSEN = os.environ.get("HYDRO_DATABRICKS_TEST") == "1"
pytestmark = [
    pytest.mark.workspace,
    pytest.mark.skipif(not CHOSEN, reason="needs a workspace: HYDRO_DATABRICKS_TEST=1"),
]


def test_real_workspace__runs_a_step_and_is_left_clean(run_toys: Callable[..., Finished]) -> None:
    finished = run_toys("readings", partition="2026-01-03")
    assert finished.result.success, finished.log()
    left = [entry.name for entry in WorkspaceClient().files.list_directory_contents(f"{VOLUME}/steps")]
    assert not [name for name in left if name and name.startswith(finished.result.run_id)]


def test_real_workspace__shows_a_user_error_on_both_sides(run_toys: Callable[..., Finished]) -> None:
    finished = run_toys("user_error")
    assert "pH of -1 is no reading" in finished.error("user_error")
    run_id = next(
        int(event.message.split()[3])
        for event in finished.result.all_events
        if event.message and event.message.startswith("Waiting for Databricks run")
    )
    state = WorkspaceClient().jobs.wait_get_run_job_terminated_or_skipped(run_id).state
    assert state is not None
    assert state.result_state is not None
    assert state.result_state.value == "FAILED"
