"""What breaks while a training is logged, for real: nothing half registered serves, and the old champion still does."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from hydro_assets.errors import TrackingError
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.training.train import TrainingResult
from hydro_assets_tests.builders.mlflow_server import MlflowServer
from hydro_assets_tests.builders.registered import log_and_register

MakeSettings = Callable[..., Settings]
Trained = Callable[[str], TrainingResult]
NAME = "hydroponics_gru_forecast"


def crown(settings: Settings, version: str) -> None:
    mlflow_client(settings).set_registered_model_alias(NAME, "champion", version)


def newest_run(settings: Settings) -> Run:
    client = mlflow_client(settings)
    return client.search_runs(
        [RegisteredModel(settings, "gru").experiment_id()], order_by=["attributes.start_time DESC"]
    )[0]


def files_of(run: Run) -> list[Path]:
    return [p for p in Path((run.info.artifact_uri or "").removeprefix("file://")).rglob("*") if p.is_file()]


@contextmanager
def room_for_files_up_to(size: int) -> Iterator[None]:
    """The system refuses to write any file beyond `size` bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_server_killed_while_files_are_logged__the_champion_serves_once_it_is_back(
    server: MlflowServer,
    quick: MakeSettings,
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = quick(mlflow_tracking_uri=server.url)
    log_and_register(trained("gru"), settings, provenance, features)
    crown(settings, "1")
    sent: list[str] = []
    log_artifact = HttpArtifactRepository.log_artifact

    def until_it_dies(repository: HttpArtifactRepository, local_file: str, artifact_path: str | None = None) -> None:
        if len(sent) == 3:
            server.kill()
        sent.append(local_file)
        log_artifact(repository, local_file, artifact_path)

    with monkeypatch.context() as patch:
        patch.setattr(HttpArtifactRepository, "log_artifact", until_it_dies)
        with pytest.raises(TrackingError, match="Logging the training of gru failed at the MLflow server") as raised:
            log_and_register(trained("gru"), settings, provenance, features)
    assert len(sent) > 3
    assert "could not be marked FAILED" in "".join(raised.value.__notes__)

    server.start()
    lost = newest_run(settings)
    assert lost.info.status == "RUNNING"
    assert RegisteredModel(settings, "gru").versions() == ["1"]
    assert RegisteredModel(settings, "gru").serving_version() == "1"

    assert log_and_register(trained("gru"), settings, provenance, features).version == "2"
    assert mlflow_client(settings).get_run(lost.info.run_id).info.status == "KILLED"
    assert RegisteredModel(settings, "gru").aliases() == {"champion": "1", "challenger": "2"}


def test_disk_full_while_files_are_logged__leaves_a_failed_run_and_the_champion(
    stocked: Settings,
    trained: Trained,
    provenance: Provenance,
    features: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crown(stocked, "1")
    before = RegisteredModel(stocked, "gru").load("1").predict(features)
    room = (stocked.root / "mlflow" / "mlflow.db").stat().st_size + 2_000_000
    log_artifacts = MlflowClient.log_artifacts

    def on_a_full_disk(client: MlflowClient, *args: str) -> None:
        with room_for_files_up_to(room):
            log_artifacts(client, *args)

    monkeypatch.setattr(MlflowClient, "log_artifacts", on_a_full_disk)
    large = replace(trained("gru"), log=["x" * 1000] * (2 * room // 1000))
    with pytest.raises(TrackingError, match=r"failed at the local MLflow store: .*File too large.*room on its disk"):
        log_and_register(large, stocked, provenance, features)

    failed = newest_run(stocked)
    assert failed.info.status == "FAILED"
    assert "File too large" in failed.data.tags["error"]
    assert {p.name for p in files_of(failed)} > {"training_log.txt"}, "it failed with some files there, one cut short"
    assert RegisteredModel(stocked, "gru").versions() == ["2", "1"]
    assert RegisteredModel(stocked, "gru").serving_version() == "1"
    assert RegisteredModel(stocked, "gru").load("1").predict(features).equals(before)


def test_process_killed_while_files_are_logged__leaves_the_champion_and_no_version(
    stocked: Settings, trained: Trained, provenance: Provenance, features: pl.DataFrame
) -> None:
    crown(stocked, "1")
    code = textwrap.dedent("""
        import os, signal, sys
        from datetime import UTC, datetime
        from mlflow import MlflowClient
        from hydro_assets.pipeline.training import train_and_register
        from hydro_assets.registry.registered_model import RegisteredModel
        from hydro_assets.registry.tracking import Provenance
        from hydro_assets_tests.registry.conftest import feature_rows, quick_settings

        def die_half_way(client, run, folder):
            client.log_artifact(run, folder + "/metrics.csv")
            os.kill(os.getpid(), signal.SIGKILL)

        MlflowClient.log_artifacts = die_half_way
        settings = quick_settings(home=sys.argv[1])
        provenance = Provenance(trained_at=datetime.now(UTC))
        train_and_register(RegisteredModel(settings, "gru"), feature_rows(), provenance)
    """)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(stocked.root)], capture_output=True, env=env, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    lost = newest_run(stocked)
    assert [p.name for p in files_of(lost)] == ["metrics.csv"]
    assert RegisteredModel(stocked, "gru").versions() == ["2", "1"]
    assert RegisteredModel(stocked, "gru").serving_version() == "1"
    assert log_and_register(trained("gru"), stocked, provenance, features).version == "3"
    assert mlflow_client(stocked).get_run(lost.info.run_id).info.status == "KILLED"
