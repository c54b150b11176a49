"""`hydro dev`: Dagster's UI and MLflow's side by side on 127.0.0.1, once per home."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings

HOST = "127.0.0.1"
# A machine that is busy with a training may need this long for Dagster's first page.
SECONDS_TO_START = 300
SECONDS_TO_STOP = 8


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of Dagster's UI on 127.0.0.1")] = 3000,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="port of MLflow's UI on 127.0.0.1")] = 5000,
) -> None:
    """Open Dagster's UI, and MLflow's, with the history of `hydro run` and `hydro demo`. Needs the extra `ui`."""
    from hydro_assets.defs.local_run import dagster_home

    settings = settings_with()
    if find_spec("dagster_webserver") is None:
        raise SettingsError("dagster-webserver is not installed", "Install it: pip install 'hydro_assets[ui]'")
    with only_one(settings.root, f"http://{HOST}:{port}"), ExitStack() as started:
        needed = {"--port": port} | ({"--mlflow-port": mlflow_port} if settings.has_local_mlflow else {})
        require_free(needed)
        environment = {**os.environ, "DAGSTER_HOME": str(dagster_home(settings)), "HYDRO_HOME": str(settings.root)}
        logs = settings.root / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        say(f"starting; the logs are {logs}/dagster.log and mlflow.log")
        servers: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
        started.callback(_stop, servers)
        servers["Dagster"] = port, _start(_dagster(port), logs / "dagster.log", environment)
        if settings.has_local_mlflow:
            # Its job runner is seven more processes, for what nobody here asks of MLflow.
            without_jobs = {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            servers["MLflow"] = mlflow_port, _start(_mlflow(settings, mlflow_port), logs / "mlflow.log", without_jobs)
        for name, (at, process) in servers.items():
            _wait_for(name, at, process, logs)
        say(f"\n  Dagster  http://{HOST}:{port}   assets, runs, checks")
        say(f"  MLflow   {_tracking_address(settings, mlflow_port)}   trainings and registered versions")
        say("\n  Ctrl-C stops both.\n")
        while all(process.poll() is None for _, process in servers.values()):
            time.sleep(0.5)
        ended = next(name for name, (_, process) in servers.items() if process.poll() is not None)
        raise SettingsError(f"{ended} has ended by itself", f"Read {logs / (ended.lower() + '.log')}")


@contextmanager
def only_one(home: Path, address: str) -> Iterator[None]:
    """Hold the home's lock: a second daemon on the same history would start every run twice."""
    home.mkdir(parents=True, exist_ok=True)
    note = home / "dev.address"
    try:
        with FileLock(home / "dev.lock", timeout=0):
            note.write_text(address)
            yield
            note.unlink(missing_ok=True)
    except Timeout as error:
        there = note.read_text() if note.exists() else "another terminal"
        raise SettingsError(
            f"hydro dev runs already on this home ({home}), at {there}",
            "Use that one, stop it with Ctrl-C, or choose another HYDRO_HOME",
        ) from error


def require_free(ports: dict[str, int]) -> None:
    """Raises SettingsError that names every port which another program listens on."""
    taken, first = [], next(iter(ports))
    for option, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                first = first if taken else option
                taken.append(f"{option} {port}: {error.strerror}")
    if len(set(ports.values())) < len(ports):
        taken.append(f"{' and '.join(ports)} are the same")
    if taken:
        free = next(port for port in range(ports[first] + 1, 65537) if port not in ports.values())
        raise SettingsError.of_all(taken, f"Choose another, for example hydro dev {first} {free}")


def _dagster(port: int) -> list[str]:
    workspace = Path(__file__).parents[2] / "workspace.yaml"
    where = ["-w", str(workspace)] if workspace.exists() else ["-m", "hydro_assets.definitions"]
    return ["dagster", "dev", *where, "-h", HOST, "-p", str(port)]


def _mlflow(settings: Settings, port: int) -> list[str]:
    (settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
    return [
        *("mlflow", "server", "--backend-store-uri", settings.tracking_uri, "--host", HOST, "--port", str(port)),
        *("--default-artifact-root", str(settings.root / "mlflow" / "artifacts"), "--workers", "1"),
    ]


def _tracking_address(settings: Settings, port: int) -> str:
    return f"http://{HOST}:{port}" if settings.has_local_mlflow else "as mlflow_tracking_uri says"


def _start(module: Sequence[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A server in a session of its own: Ctrl-C reaches it through us, once, and we wait for its end."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module], stdout=output, stderr=output, env=environment, start_new_session=True
        )


def _stop(servers: Mapping[str, tuple[int, subprocess.Popen[bytes]]]) -> None:
    """All at once: runs in progress record their end in these seconds; what has not ended then is killed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        alive = [process for _, process in servers.values() if process.poll() is None]
        for process in alive:
            os.killpg(process.pid, number)
        end = time.monotonic() + SECONDS_TO_STOP
        for process in alive:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(end - time.monotonic(), 0))


def _wait_for(name: str, port: int, process: subprocess.Popen[bytes], logs: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.3)
    raise SettingsError(f"{name} did not start on port {port}", f"Read {logs / (name.lower() + '.log')}")
