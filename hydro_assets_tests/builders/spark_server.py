"""Apache Spark (JVM) for tests: where Delta's jars are, and a Connect server as `hydro spark-server` starts it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_BESIDE_THE_CHECKOUT = REPOSITORY.parent / "shared" / "jars"
# Read at import: the tests themselves run without the HYDRO_ variables of this machine.
DELTA_JARS = os.environ.get("HYDRO_DELTA_JARS") or str(_BESIDE_THE_CHECKOUT)
_START_SECONDS = 120
QUICK_JVM = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""For a JVM of minutes: its optimising compiler would take a core for longer than it ever gives back."""


def require_jvm() -> None:
    """Skip the test where there is no Java or no jar of Delta."""
    if shutil.which("java") is None:
        pytest.skip("needs a Java runtime")
    if not all(Path(part).exists() for part in DELTA_JARS.split(",")):
        pytest.skip("needs Delta's jars: HYDRO_DELTA_JARS, or a folder shared/jars beside the checkout")


@dataclass(frozen=True)
class SparkServer:
    """A running server: its address, and the home under which it keeps catalog tables and its log."""

    remote: str
    home: Path

    @property
    def warehouse(self) -> Path:
        return self.home / "spark-warehouse"


@contextmanager
def spark_server(home: Path, workers: str = sys.executable) -> Iterator[SparkServer]:
    """A server of its own, whose Python functions run on the interpreter `workers`; it ends with the context."""
    require_jvm()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HYDRO_", "SPARK_"))}
    command = [sys.executable, "-c", "from hydro_assets.cli import main; main()", "spark-server", "--port", str(port)]
    process = subprocess.Popen(
        command,
        env={
            **environment,
            **QUICK_JVM,
            "HYDRO_HOME": str(home),
            "HYDRO_DELTA_JARS": DELTA_JARS,
            "PYSPARK_PYTHON": workers,
            "PYTHONPATH": str(REPOSITORY),  # the workers' own environment has no hydro_assets
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for(port, process)
        yield SparkServer(f"sc://127.0.0.1:{port}", home)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"Spark did not listen at port {port} within {_START_SECONDS} s")
