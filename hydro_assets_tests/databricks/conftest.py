"""An emulated Databricks workspace: minilake's API on loopback, and a second virtual environment as the cluster."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

from hydro_assets_tests.builders.client_environments import pinned_versions, python_with
from hydro_assets_tests.builders.mlflow_server import MlflowServer
from hydro_assets_tests.builders.spark_server import REPOSITORY

EMULATED_CLUSTER = Path(__file__).with_name("emulated_cluster")
TOYS = "hydro_assets_tests.builders.toy_assets"


def cluster_python(requirements: list[str]) -> Path:
    """Interpreter of a virtual environment with `requirements` only, in the versions of constraints.txt."""
    return python_with(requirements, constraints=pinned_versions())


@dataclass
class Workspace:
    """A running emulation, and what its API knows."""

    host: str
    data: Path
    secrets: Path

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.host}{path}") as response:
            return json.load(response)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.host}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def put_secret(self, key: str, value: str) -> None:
        """Put a secret into scope hydro: its name for the API, which tells no values, and its value for the cluster."""
        self.post("/api/2.0/secrets/put", {"scope": "hydro", "key": key, "string_value": value})
        known = json.loads(self.secrets.read_text())
        self.secrets.write_text(json.dumps({**known, f"hydro/{key}": value}))

    def runs(self) -> list[tuple[str, str | None]]:
        """Name and result of every run, oldest first."""
        return [
            (run["run_name"].split("/", 1)[-1], run["state"].get("result_state"))
            for run in self.get("/api/2.2/jobs/runs/list")["runs"]
        ]

    def result_of(self, step: str, within: float = 30.0) -> str | None:
        """Result of the last run of a step, once it has one."""
        deadline = time.monotonic() + within
        while True:
            results = [result for name, result in self.runs() if name == step]
            if (results and results[-1]) or time.monotonic() > deadline:
                return results[-1] if results else None
            time.sleep(0.2)

    def staged(self) -> list[str]:
        """Names of the staging directories that are still there."""
        root = self.data / "dbfs" / "Volumes" / "hydroponics" / "dagster" / "steps" / "steps"
        return sorted(path.name for path in root.iterdir()) if root.exists() else []


@pytest.fixture(scope="session")
def start_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Workspace]]:
    """Starts emulated workspaces whose cluster is the given interpreter; stops them at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start(python: Path, *, spark: bool = False, **environment: str) -> Workspace:
        root = tmp_path_factory.mktemp("workspace")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        secrets = root / "secrets.json"
        secrets.write_text("{}")
        # Nothing of this process's environment: what a step needs must have been shipped.
        clean = {
            "PATH": f"{EMULATED_CLUSTER}:{os.environ['PATH']}",
            "HOME": str(root),
            "MINILAKE_DATA_DIR": str(root / "data"),
            "MINILAKE_JOB_EXECUTOR": "subprocess",
            "MINILAKE_NOTEBOOK": "0",
            "EMUL_PYTHON": str(python),
            "EMUL_SPARK": str(int(spark)),
            "EMUL_SECRETS": str(secrets),
            **environment,
        }
        log = (root / "minilake.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "minilake", "--port", str(port)], env=clean, cwd=root, stdout=log, stderr=log
        )
        running.append(process)
        workspace = Workspace(f"http://127.0.0.1:{port}", root / "data", secrets)
        for _ in range(300):
            try:
                workspace.get("/_minilake/health")
                return workspace
            except OSError:
                assert process.poll() is None, (root / "minilake.log").read_text()
                time.sleep(0.1)
        raise TimeoutError("the emulated workspace did not start")

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(20)


@pytest.fixture(scope="session")
def workspace(start_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace whose cluster has Dagster and nothing else: what the entry of a step may rely on."""
    started = start_workspace(cluster_python([f"dagster=={dg.__version__}"]))
    started.post("/api/2.0/secrets/scopes/create", {"scope": "hydro"})
    return started


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a tracking server and registry that also keeps the artifacts; stopped at the end."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow_server") / "mlflow.db")
    server.start()
    yield server.url
    server.kill()


@dataclass
class Finished:
    """A Dagster run that has ended."""

    result: dg.JobExecutionResult
    instance: dg.DagsterInstance

    def outcomes(self, step: str) -> list[str]:
        """Events that begin, end or repeat a step, as the event log has them."""
        kinds = {"STEP_START", "STEP_SUCCESS", "STEP_FAILURE", "STEP_UP_FOR_RETRY", "STEP_RESTARTED"}
        events = [event for event in self.result.all_events if event.step_key == step]
        return [event.event_type_value for event in events if event.event_type_value in kinds]

    def error(self, step: str) -> str:
        failure = self.result.failure_data_for_node(step)
        assert failure is not None
        assert failure.error is not None
        return failure.error.to_string()

    def metadata(self, step: str) -> dict[str, Any]:
        event = self.result.asset_materializations_for_node(step)[0]
        return {name: value.value for name, value in event.metadata.items()}

    def log(self) -> str:
        """Everything in the event log, as text."""
        return "\n".join(map(repr, self.instance.all_logs(self.result.run_id)))


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> dg.DagsterInstance:
    """One instance for all runs: making its databases takes longer than many a step."""
    folder = str(tmp_path_factory.mktemp("dagster"))
    return dg.DagsterInstance.local_temp(folder, overrides={"telemetry": {"enabled": False}})


@pytest.fixture
def run_toys(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finished]:
    """Runs toy assets or a toy job, launched on the workspace of the environment unless told otherwise."""

    def execute(
        *assets: str,
        launch: bool = True,
        partition: str | None = None,
        job: str = "__ASSET_JOB",
        multiprocess: bool = False,
    ) -> Finished:
        monkeypatch.setenv("TOY_LAUNCH", str(int(launch)))
        monkeypatch.setenv("TOY_MULTIPROCESS", str(int(multiprocess)))
        sys.modules.pop(TOYS, None)  # it reads the environment when it is imported
        repository = ReconstructableRepository(ModuleCodePointer(TOYS, "defs", working_directory=str(REPOSITORY)))
        with dg.execute_job(
            ReconstructableJob(repository, job),
            instance,
            tags={"dagster/partition": partition} if partition else None,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            raise_on_error=False,
        ) as result:
            return Finished(result, instance)

    return execute


@pytest.fixture
def run(
    run_toys: Callable[..., Finished], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Finished]:
    """`run_toys` on the emulated workspace."""
    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-the-host")
    return run_toys
