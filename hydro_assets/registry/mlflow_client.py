"""How MLflow is reached, and how its errors are told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from hydro_assets.errors import TrackingError, without_login
from hydro_assets.registry.moved_home import follow_home
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


Found = TypeVar("Found")
SQLITE = "sqlite:///"
LONGEST_ANSWER = 5.0
"""Seconds that a server has to say that it is there."""


def mlflow_client(settings: Settings) -> MlflowClient:
    """Client of the configured tracking server and registry; the folder of a SQLite file is made when missing."""
    tracking, file = settings.tracking_uri, sqlite_file(settings.tracking_uri)
    if (login := settings.mlflow_login) is not None:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = login
    if file is None:
        require_answer(tracking)
        return client_of(tracking, settings.registry_uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    # The first client makes MLflow's tables; two processes that make them at once (mlflow 3.17) break each other.
    with FileLock(file.with_suffix(".lock")):
        client = client_of(tracking, settings.registry_uri)
        follow_home(file)
        return client


def require_answer(tracking: str) -> None:
    """Raise TrackingError, in seconds, when no server answers at an http address.

    MLflow's own patience with a server that is frozen adds up to a minute for each request.
    """
    if tracking.startswith(("http://", "https://")) and (problem := _silence(tracking, int(time.monotonic() // 30))):
        raise TrackingError(problem, "Start it, or correct HYDRO_MLFLOW_TRACKING_URI; nothing was changed")


@lru_cache(maxsize=16)
def _silence(tracking: str, _half_minute: int) -> str | None:
    """What is wrong with a server, asked at most twice a minute; None where it answers anything."""
    import requests

    server = f"The MLflow server {without_login(tracking)}"
    try:
        requests.get(f"{tracking.rstrip('/')}/health", timeout=LONGEST_ANSWER, allow_redirects=False).close()
    except requests.exceptions.SSLError:  # it answers; MLflow has settings of its own for certificates
        return None
    except requests.Timeout:
        return f"{server} does not answer within {LONGEST_ANSWER:g} s"
    except requests.RequestException as exc:
        return f"{server} cannot be reached: {one_line(exc)}"
    return None


def sqlite_file(tracking: str) -> Path | None:
    """The file of a SQLite tracking URI."""
    return Path(tracking.removeprefix(SQLITE).partition("?")[0]) if tracking.startswith(SQLITE) else None


def client_of(tracking: str, registry: str) -> MlflowClient:
    """Client of these two URIs."""
    # MLflow reports its use to its makers over the network unless told otherwise; a farm's machine asks first.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # Waiting is bounded: MLflow's own 120 s and 7 retries add up to many minutes before a dead server is told.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking, registry_uri=registry)


def is_unity_catalog(registry: str) -> bool:
    return registry.startswith(("databricks-uc", "uc:"))


@contextmanager
def tracking_errors(settings: Settings, doing: str) -> Iterator[None]:
    """Turn errors of MLflow, its disk and its connection into one sentence: what was being done, where, what to do."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as exc:
        local = settings.has_local_mlflow
        where = "the local MLflow store" if local else f"the MLflow server {without_login(settings.tracking_uri)}"
        raise TrackingError(
            f"{doing} failed at {where}: {one_line(exc)}",
            "Check that MLflow answers, may be written and has room on its disk (HYDRO_MLFLOW_TRACKING_URI, "
            "HYDRO_MLFLOW_REGISTRY_URI), then run the step again; what was registered before is untouched",
        ) from (exc if without_login(str(exc)) == str(exc) else None)


def one_line(error: Exception) -> str:
    """The message of an error without line breaks, and not longer than a screen."""
    return " ".join(str(error).split())[:500]


def at_once(call: Callable[[], None]) -> None:
    """Call MLflow, and once more if it refuses; `call` must do the same whether done once or twice.

    MLflow looks whether a row exists and then inserts it. Of two trainings at once, one meets the UNIQUE constraint,
    and finds the other's row when it looks again.
    """
    from mlflow.exceptions import MlflowException

    try:
        call()
    except MlflowException:
        call()


def found_or_none(look_up: Callable[..., Found], *key: str) -> Found | None:
    """Result of an MLflow look-up, None when MLflow says that there is no such thing."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        return look_up(*key)
    except MlflowException as exc:
        if exc.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        return None
