"""How MLflow is reached, and what things are called there: the one place that knows local, server and Databricks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from hydro_assets.errors import TrackingError, without_login
from hydro_assets.registry.moved_home import follow_home
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient


SQLITE = "sqlite:///"


def mlflow_client(settings: Settings) -> MlflowClient:
    """Client of the configured tracking server and registry; the folder of a SQLite file is made when missing."""
    tracking, file = settings.tracking_uri, _sqlite_file(settings)
    if (login := settings.mlflow_login) is not None:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = login
    if file is None:
        return client_of(tracking, settings.registry_uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    # The first client makes MLflow's tables; two processes that make them at once (mlflow 3.17) break each other.
    with FileLock(file.with_suffix(".lock")):
        client = client_of(tracking, settings.registry_uri)
        follow_home(file)
        return client


def _sqlite_file(settings: Settings) -> Path | None:
    """The file of a SQLite tracking URI."""
    uri = settings.tracking_uri
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


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


def registered_name(settings: Settings, kind: str) -> str:
    """Registered model of a kind: `hydroponics_lstm_forecast`, under Unity Catalog `{catalog}.models.{name}`."""
    name: str = getattr(settings.models, kind)
    if not is_unity_catalog(settings.registry_uri) or "." in name:
        return name
    return f"{settings.catalog}.models.{name}"


def experiment_name(settings: Settings, kind: str) -> str:
    """Experiment of a kind. Databricks keeps experiments as workspace files, so there it lies under /Shared."""
    name: str = getattr(settings.experiments, kind)
    if settings.tracking_uri.startswith("databricks") and not name.startswith("/"):
        return f"/Shared/{name}"
    return name


def experiment_id(client: MlflowClient, settings: Settings, kind: str) -> str:
    """Id of the experiment of `kind`, which is made when missing (by whichever of two processes is first)."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    name = experiment_name(settings, kind)
    if (found := client.get_experiment_by_name(name)) is not None:
        return found.experiment_id
    location = settings.bucket_uri and f"{settings.bucket_uri}/mlflow/{name.strip('/')}"
    if (file := _sqlite_file(settings)) is not None:  # MLflow's default is the working directory of whoever trains
        location = (file.absolute().parent / "artifacts" / name).as_uri()
    try:
        return client.create_experiment(name, artifact_location=location)
    except MlflowException as exc:
        made_elsewhere = client.get_experiment_by_name(name)
        if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS) or made_elsewhere is None:
            raise
        return made_elsewhere.experiment_id


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


def run_url(settings: Settings, experiment: str, run_id: str) -> str | None:
    """Page of a run, or None for a local file store, which has pages only while `mlflow ui` runs."""
    if (base := _pages(settings)) is None:
        return None
    return f"{base}/experiments/{experiment}/runs/{run_id}"


def version_url(settings: Settings, name: str, version: str) -> str | None:
    """Page of a registered version, or None for a local file store."""
    if (base := _pages(settings)) is None:
        return None
    if is_unity_catalog(settings.registry_uri):
        return f"{base.removesuffix('/ml')}/explore/data/models/{name.replace('.', '/')}/version/{version}"
    return f"{base}/models/{name}/versions/{version}"


def _pages(settings: Settings) -> str | None:
    uri = settings.tracking_uri
    if uri.startswith("databricks"):
        from mlflow.utils.databricks_utils import get_databricks_host_creds

        return f"{get_databricks_host_creds(uri).host.rstrip('/')}/ml"
    if uri.startswith(("http://", "https://")):
        scheme, _, rest = uri.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].rstrip('/')}/#"  # without a password that the URI may carry
    return None
