"""Look-ups in the registry: versions, aliases, and whether a version is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

Found = TypeVar("Found")

CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST = "package_sha256"  # tag of a version: checksum of its package


def versions(client: MlflowClient, name: str) -> list[str]:
    """Numbers of all versions of a model, newest first; none when the model does not exist.

    Only the numbers, because a search under Unity Catalog gives no tags: ask `find_version` for more.
    """
    found: list[ModelVersion] = []
    token: str | None = None
    while token != "":
        page = client.search_model_versions(f"name='{name}'", page_token=token)
        found += page
        token = page.token or ""
    return [str(number) for number in sorted((int(v.version) for v in found), reverse=True)]


def aliases(client: MlflowClient, name: str) -> dict[str, str]:
    """Alias -> version of a model; empty when the model does not exist."""
    model = found_or_none(client.get_registered_model, name)
    return {} if model is None else {alias: str(version) for alias, version in model.aliases.items()}


def find_version(client: MlflowClient, name: str, version: str) -> ModelVersion | None:
    return found_or_none(client.get_model_version, name, version)


def is_whole(client: MlflowClient, version: ModelVersion | None) -> bool:
    """Whether a version exists, was registered by `register` and its files are there, as far as the registry knows.

    A run that has since been purged counts as finished: the version's digest was written after its end.
    """
    if version is None or version.status != "READY" or DIGEST not in version.tags:
        return False
    run = found_or_none(client.get_run, version.run_id or "")
    return run is None or run.info.status == "FINISHED"


def latest_whole(client: MlflowClient, name: str) -> str | None:
    """The newest version that is whole; None when there is none."""
    return next((v for v in versions(client, name) if is_whole(client, find_version(client, name, v))), None)


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
