"""Every benchmark still runs, on very little data: what it measures there means nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench
BENCH = Path(__file__).parents[2] / "bench"
SMALL = {
    "serve.py": ("--days", "9", "--step", "5min", "--models", "lightgbm", "--rounds", "2", "--readings", "3"),
    "feature_job.py": ("--systems", "1", "--days", "2", "--repeats", "1"),
    "train_speed.py": ("--windows", "256", "--repeats", "1", "--cells", "gru"),
    "score_speed.py": ("--rows", "1500", "--slow-rows", "50", "--ways", "ours"),
}


@pytest.mark.parametrize("script", SMALL)
def test_benchmark__runs_to_its_end(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / script), *SMALL[script]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("engine: embedded Sail\n") == (script not in ("train_speed.py", "serve.py"))


def test_benchmark_of_spark_work__runs_on_the_engine_that_is_given(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        engine = f"sc://127.0.0.1:{closed.getsockname()[1]}"
    command = [sys.executable, str(BENCH / "feature_job.py"), *SMALL["feature_job.py"], "--engine", engine]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"No Spark Connect endpoint answers at {engine.removeprefix('sc://')}" in done.stderr
