"""Which version scores, and its package: pinned, else champion, else the latest whole version."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hydro_assets.durations import duration_text
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.mlflow_client import (
    client_of,
    is_unity_catalog,
    mlflow_client,
    registered_name,
    tracking_errors,
)
from hydro_assets.registry.pyfunc_model import PACKAGE_FOLDER, package_digest
from hydro_assets.registry.versions import (
    CHAMPION,
    DIGEST,
    aliases,
    find_version,
    found_or_none,
    is_whole,
    latest_whole,
)
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

_REMEDY = (
    "Roll back with `hydro rollback`, or give the alias champion to another version in MLflow; predictions that were "
    "written stay as they are"
)


def serving_version(settings: Settings, kind: str) -> str | None:
    """Version that scores: the pinned one, else the champion, else the latest whole one; None when there is none.

    Raises:
        ModelUnavailableError: the pinned version or the champion is missing or was not registered whole.
    """
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Looking up the serving version of {name}"):
        client = mlflow_client(settings)
        chosen, why = getattr(settings.pinned_versions, kind), "the pinned version"
        if chosen is None:
            chosen, why = aliases(client, name).get(CHAMPION), "the champion"
        if chosen is None:
            return latest_whole(client, name)
        found = find_version(client, name, chosen)
        whole = is_whole(client, found)
    if not whole:
        state = "does not exist" if found is None else "was not registered whole"
        raise ModelUnavailableError(
            f"Version {chosen} of {name}, {why}, {state}",
            f"Pin another version (HYDRO_PINNED_VERSIONS__{kind.upper()}), `hydro rollback {kind}`, or train again",
        )
    return chosen


def load_package(settings: Settings, kind: str, version: str) -> ForecastPackage:
    """The package of a registered version, checked against the digest of its registration and against the settings.

    Raises:
        ModelUnavailableError: version missing, files missing or damaged, or of another target, grid or horizon.
        TrackingError: the registry or the store of the files does not answer; that says nothing about the version.
    """
    package = fetch_package(settings, kind, version)
    if problems := misfits(package, settings):
        raise ModelUnavailableError.of_all(
            [f"Version {version} of {registered_name(settings, kind)} does not fit: {problems[0]}", *problems[1:]],
            "Train again with the present settings, or set HYDRO_TARGET_COL and HYDRO_FEATURE_STEP as in its training",
        )
    return package


def misfits(package: ForecastPackage, settings: Settings) -> list[str]:
    """Why `package` cannot serve under `settings`: another target or grid, or horizons that it does not forecast."""
    info, problems = package.info, []
    if info.target_col != settings.target_col:
        problems.append(f"it forecasts {info.target_col}, asked for is {settings.target_col}")
    if info.step_seconds != settings.feature_step.total_seconds():
        trained = duration_text(timedelta(seconds=info.step_seconds))
        problems.append(f"it was trained on a {trained} grid, the features have {duration_text(settings.feature_step)}")
    if lacking := sorted(set(range(1, settings.forecast_horizon + 1)) - set(info.horizons)):
        span = f"{lacking[0]} steps" if len(lacking) == 1 else f"{lacking[0]} .. {lacking[-1]} steps"
        problems.append(f"it has no forecast {span} ahead (forecast_horizon is {settings.forecast_horizon})")
    return problems


def fetch_package(settings: Settings, kind: str, version: str) -> ForecastPackage:
    """`load_package` without the check against the settings."""
    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Loading version {version} of {name}"):
        found = find_version(mlflow_client(settings), name, version)
    if found is None:
        raise ModelUnavailableError(f"{name} has no version {version}", "Choose one of those that MLflow lists")
    with tracking_errors(settings, f"Reading the files of version {version} of {name}"):
        return _download(settings.tracking_uri, settings.registry_uri, name, version, found.tags.get(DIGEST, ""))


@lru_cache(maxsize=12)
def _download(tracking: str, registry: str, name: str, version: str, digest: str) -> ForecastPackage:
    # Cached because a worker scores many days with the same three versions; a version never changes, and its digest in
    # the key tells a registry that was made anew under the same address.
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from hydro_assets.forecasting.package import ForecastPackage

    uri = f"models:/{name}/{version}"
    if not is_unity_catalog(registry):  # MLflow resolves such a URI by its process-wide registry
        uri = client_of(tracking, registry).get_model_version_download_uri(name, version)
    store = get_artifact_repository(uri, tracking, registry)
    # A download tells a lost file and a lost connection by the same error. A listing fails for the connection only.
    if not found_or_none(store.list_artifacts, PACKAGE_FOLDER):
        raise ModelUnavailableError(f"The files of version {version} of {name} are gone", _REMEDY)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(store.download_artifacts(PACKAGE_FOLDER, dst_path=scratch))
        if package_digest(folder) != digest:
            raise ModelUnavailableError(
                f"The files of version {version} of {name} are damaged or incomplete: their checksum is another",
                _REMEDY,
            )
        try:
            return ForecastPackage.load(folder)
        except ModelUnavailableError as error:  # of another release of the code: its files are as they were made
            raise ModelUnavailableError(f"Version {version} of {name}: {error.problem}", _REMEDY) from error
