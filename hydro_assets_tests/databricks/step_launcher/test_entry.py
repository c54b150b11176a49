"""The script on the cluster, without a cluster: what it refuses, and that no report is lost."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hydro_assets.databricks.step_launcher import entry


def reports(stage: Path) -> list[dict[str, Any]]:
    return [json.loads(gzip.decompress(path.read_bytes())) for path in sorted(stage.glob("report_*.json.gz"))]


def spec_of(stage: Path, **changes: str) -> dict[str, Any]:
    (stage / "launch.pkl").write_bytes(b"launch")
    (stage / "code.zip").write_bytes(b"code")
    (stage / "entry.py").write_bytes(b"entry")
    return {
        "stage": str(stage),
        "entry": str(stage / "entry.py"),
        "entry_sha256": hashlib.sha256(b"entry").hexdigest(),
        "launch": str(stage / "launch.pkl"),
        "launch_sha256": hashlib.sha256(b"launch").hexdigest(),
        "code": str(stage / "code.zip"),
        "code_sha256": hashlib.sha256(b"code").hexdigest(),
        "python": "{}.{}".format(*sys.version_info),
        "dagster": dg.__version__,
        "flush_seconds": 0.05,
        **changes,
    }


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HYDRO_IN_LAUNCHED_STEP", "HYDRO_STEP_CODE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python": "3.7"}, r"python 3\.\d+ here, 3\.7 on the host"),
        ({"dagster": "0.1"}, "dagster .* here, 0.1 on the host"),
        ({"code_sha256": "0"}, "code.zip is not the file that the host staged"),
        ({"entry_sha256": "0"}, "entry.py is not the file that the host staged"),
    ],
    ids=["python", "dagster", "code that somebody changed", "entry that somebody changed"],
)
def test_entry__refuses_what_does_not_fit_and_reports_it(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(entry.StepFailed, match=message):
        entry.main(spec_of(tmp_path, **changes))
    assert "StepFailed" in reports(tmp_path)[-1]["crash"]


def test_changed_launch__is_refused_before_it_is_unpickled(tmp_path: Path) -> None:
    with pytest.raises(entry.StepFailed, match="Restrict who may write"):
        entry.verified(spec_of(tmp_path)["launch"], "0")


def test_report_that_the_volume_refuses__is_written_later_and_in_order(tmp_path: Path) -> None:
    stage = tmp_path / "not_there_yet"
    with entry.Reporter(str(stage), 1000) as reporter:
        print("first")
        assert not reporter._flush()
        print("second")
        stage.mkdir()
    assert [report["stdout"] for report in reports(stage)] == ["first\n", "second\n"]


def test_secret__is_struck_out_of_output_events_and_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with entry.Reporter(str(tmp_path), 1000) as reporter:
        reporter.hide('pa"ss\nword')
        print('the pa"ss\nword')
        reporter.crashed('boom pa"ss\nword')
    assert (reports(tmp_path)[0]["stdout"], reports(tmp_path)[0]["crash"]) == ("the [REDACTED]\n", "boom [REDACTED]")
    assert "[REDACTED]" in capsys.readouterr().out
    assert reporter._without_secrets({"a": ['x pa"ss\nword', 1, None]}) == {"a": ["x [REDACTED]", 1, None]}
