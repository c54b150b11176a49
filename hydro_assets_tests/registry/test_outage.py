"""A store of files that does not answer says nothing about the models in it: nothing is judged, nothing changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import polars as pl
import pytest
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from hydro_assets.errors import ModelUnavailableError, TrackingError
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.promotion import rollback
from hydro_assets.registry.registered_model import DIGEST, RegisteredModel, _download
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.registered import promote

NOW = datetime(2024, 3, 2, 7, tzinfo=UTC)
NAME = "hydroponics_lightgbm_classifier"
NO_ANSWER = None
StoredAt = Callable[[str], str]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of an artifact store that gives one answer to everything, or at which nobody listens."""
    status: int | None = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 500)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}/api/2.0/mlflow-artifacts/artifacts/1"
    if status is NO_ANSWER:
        server.server_close()
        yield address
        return
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def registered_at(settings: Settings, source: str) -> str:
    """A whole version whose files are said to lie at `source`."""
    client = mlflow_client(settings)
    whole = client.get_model_version(NAME, "1")
    return str(client.create_model_version(NAME, source, whole.run_id, tags={DIGEST: whole.tags[DIGEST]}).version)


@pytest.mark.parametrize("store", [NO_ANSWER, 503, 500, 403], ids=["refused", "503", "500", "403"], indirect=True)
def test_store_of_the_champion_down__changes_nothing_and_says_so(
    stocked: Settings, features: pl.DataFrame, store: str
) -> None:
    client, champion = mlflow_client(stocked), registered_at(stocked, store)
    client.set_registered_model_alias(NAME, "champion", champion)
    before = RegisteredModel(stocked, "lightgbm").aliases()
    assert before["challenger"] == "3"
    with pytest.raises(TrackingError) as told:
        promote(stocked, "lightgbm", features, NOW)
    assert str(told.value).startswith(f"Reading the files of version {champion} of {NAME} failed at ")
    assert "run the step again; what was registered before is untouched" in str(told.value)
    with pytest.raises(TrackingError):
        RegisteredModel(stocked, "lightgbm").load(champion)
    with pytest.raises(TrackingError):
        rollback(RegisteredModel(stocked, "lightgbm"), NOW, version=registered_at(stocked, store))
    assert RegisteredModel(stocked, "lightgbm").aliases() == before


def test_files_that_may_not_be_read__are_no_damage(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    _download.cache_clear()
    monkeypatch.setattr(LocalArtifactRepository, "_download_file", refuse)
    with pytest.raises(TrackingError, match="Permission denied"):
        RegisteredModel(stocked, "lightgbm").load("1")


def test_champion_whose_files_are_gone__is_judged_damaged(stocked: Settings, features: pl.DataFrame) -> None:
    gone = registered_at(stocked, (stocked.root / "nowhere").as_uri())
    mlflow_client(stocked).set_registered_model_alias(NAME, "champion", gone)
    with pytest.raises(ModelUnavailableError, match=f"The files of version {gone} of {NAME} are gone. Roll back"):
        RegisteredModel(stocked, "lightgbm").load(gone)
    decision = promote(stocked, "lightgbm", features, NOW)
    assert decision.promoted
    assert f"champion {gone} cannot serve (The files of version {gone} of {NAME} are gone)" in decision.reason
