"""A real MLflow server on this machine, which a test may kill and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

_LONGEST_START = 90


class MlflowServer:
    """Serves the SQLite file `store`, and artifacts beside it, at a free port of 127.0.0.1."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "workers": "1",
            "backend-store-uri": f"sqlite:///{self.store}",
            "artifacts-destination": str(self.store.parent / "served"),
        }
        command = [sys.executable, "-m", "mlflow", "server", *(w for k, v in options.items() for w in (f"--{k}", v))]
        env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = self.store.with_suffix(".log")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=env, stdout=output, stderr=output, cwd=self.store.parent, start_new_session=True
            )
        deadline = time.monotonic() + _LONGEST_START
        while not self._answers():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)

    def kill(self) -> None:
        """End it at once, with its workers: the process group that `start` opened."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=30)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
