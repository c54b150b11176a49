"""A canary: no password that a farm was given stands in anything that it writes or says."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hydro_assets.defs.jobs.asset_jobs import TRAIN_JOB
from hydro_assets.defs.local_run import RunFailedError, dagster_instance, run_job
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.errors import TrackingError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.registry.mlflow_client import LONGEST_ANSWER, require_answer
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.mlflow_server import MlflowServer
from hydro_assets_tests.safety import farm

MakeSettings = Callable[..., Settings]
PASSWORD, TOKEN = "c4nary-of-the-farm", "t0ken-of-the-webhook"


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a server that takes connections and never answers, as one that was stopped (SIGSTOP)."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield f"127.0.0.1:{server.getsockname()[1]}"


def with_secrets(small_farm: MakeSettings, address: str) -> Settings:
    uri = f"http://farmer:{PASSWORD}@{address}"
    return small_farm(mlflow_tracking_uri=uri, webhook_url=f"https://example.invalid/hooks/{TOKEN}")


def leaks(*folders: Path) -> list[str]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    return [f"{p}: {s}" for p in files for s in (PASSWORD, TOKEN) if s.encode() in p.read_bytes()]


def test_run_that_succeeds__writes_no_secret(
    small_farm: MakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    store = farm.new_home(tmp_path / "server") / "mlflow" / "mlflow.db"
    server = MlflowServer(store)
    server.start()
    try:
        settings = with_secrets(small_farm, server.url.removeprefix("http://"))
        assert farm.run(settings)[1:2] == ["models"]
    finally:
        server.kill()
    assert leaks(settings.root, tmp_path / "server") == []
    said = caplog.text + "".join(capfd.readouterr())
    assert [s for s in (PASSWORD, TOKEN) if s in said] == []


def test_run_that_fails__writes_and_says_no_secret_and_names_the_address(
    small_farm: MakeSettings, silent: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hydro_assets.registry.mlflow_client.LONGEST_ANSWER", 0.2)
    settings = with_secrets(small_farm, silent)
    lakehouse = Lakehouse(settings)
    farm.PlainSteps(lakehouse).refresh([farm.feature_span(lakehouse)])
    job = build_definitions(settings).resolve_job_def(TRAIN_JOB)
    with dagster_instance(settings) as instance, pytest.raises(RunFailedError, match=f"server http://{silent}"):
        run_job(job, instance)
    assert leaks(settings.root) == []
    said = "".join(capfd.readouterr())
    assert [s for s in (PASSWORD, TOKEN) if s in said] == []


def test_server_that_is_frozen__is_told_before_mlflow_waits_for_it(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LONGEST_ANSWER <= 5
    monkeypatch.setattr("hydro_assets.registry.mlflow_client.LONGEST_ANSWER", 0.2)
    with pytest.raises(TrackingError, match=rf"{silent} does not answer within 0.2 s"):
        require_answer(f"http://{silent}")
