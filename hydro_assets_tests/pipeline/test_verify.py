from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from pyspark.errors import AnalysisException

from hydro_assets.databricks.last_runs import WorkspaceError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.verify import Item, LastRun, verify

STARTED = datetime(2026, 3, 2, 4, 5, tzinfo=UTC)
TRAINED = LastRun("17", "hydroponics_ml_training", "SUCCESS", True, STARTED, "https://farm.example/run/17")
SCORING = LastRun("18", "hydroponics_ml_inference", "RUNNING", False)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([], [(False, "no run yet: hydro run")], id="none"),
        pytest.param(
            [TRAINED, SCORING],
            [
                (
                    True,
                    "hydroponics_ml_training 17: SUCCESS, started 2026-03-02 04:05 UTC, https://farm.example/run/17",
                ),
                (False, "hydroponics_ml_inference 18: RUNNING"),
            ],
            id="one per job",
        ),
    ],
)
def test_verify__says_of_each_last_run_state_start_and_address(
    lakehouse: Lakehouse, runs: Sequence[LastRun], expected: list[tuple[bool, str]]
) -> None:
    found = [item for item in verify(lakehouse, lambda: runs) if item.name == "last job run"]
    assert [(item.is_ok, item.detail) for item in found] == expected


def test_verify__reports_what_it_cannot_read_and_goes_on(lakehouse: Lakehouse) -> None:
    def refused() -> list[LastRun]:
        raise WorkspaceError("who asks may not list jobs", "Grant CAN_VIEW")

    items = verify(lakehouse, refused)
    assert items[-1] == Item("last job run", False, "who asks may not list jobs. Grant CAN_VIEW.")
    assert not items[0].is_ok
    assert "hydro import --csv FILE" in items[0].detail


def test_verify__tells_what_spark_refuses(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bool:
        raise AnalysisException("[INSUFFICIENT_PERMISSIONS] User has no\nUSE CATALOG on farm")

    monkeypatch.setattr(Lakehouse, "exists", refused)
    items = verify(lakehouse, lambda: [TRAINED])
    assert [item.is_ok for item in items[:2]] == [False, False]
    assert "User has no USE CATALOG on farm. Check SPARK_REMOTE" in items[0].detail
    assert items[-1].is_ok
