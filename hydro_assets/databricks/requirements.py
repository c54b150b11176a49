"""What a cluster must install to run hydro_assets: the installed requirements, less what the workspace brings."""

from __future__ import annotations

import sys
from importlib import metadata

from packaging.requirements import Requirement

from hydro_assets.errors import SettingsError

# The runtime's own Spark and Delta must not be shadowed by PyPI's; Sail is the local engine.
_FROM_THE_RUNTIME = frozenset({"pyspark", "delta-spark", "pysail"})
# Launching and the UI happen on the host.
_ON_THE_HOST = frozenset({"dagster-databricks", "dagster-mlflow"})

# Serverless environment version by Python minor version, as Databricks documents them; newer ones keep 3.12.
_SERVERLESS_VERSIONS = {(3, 11): "2", (3, 12): "3"}


def cluster_requirements() -> list[str]:
    """Pip requirements of a cluster, pinned to the versions installed here.

    Raises:
        SettingsError: hydro_assets runs uninstalled, so its requirements are unknown.
    """
    try:
        declared = metadata.requires("hydro_assets") or []
    except metadata.PackageNotFoundError as error:
        raise SettingsError(
            "hydro_assets is not installed here, so what a cluster needs is unknown",
            "Install it with pip, or give dependencies of step_launcher",
        ) from error
    needed = [Requirement(line) for line in declared]
    return sorted(
        f"{r.name}=={metadata.version(r.name).split('+')[0]}"  # a local build such as 2.13.0+cpu is no release
        for r in needed
        if (r.marker is None or r.marker.evaluate({"extra": ""})) and r.name not in _FROM_THE_RUNTIME | _ON_THE_HOST
    )


def serverless_version(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Serverless environment version whose Python is `python`: launched steps need the host's minor version.

    Raises:
        SettingsError: no serverless environment has that Python.
    """
    if python not in _SERVERLESS_VERSIONS:
        raise SettingsError(
            f"no serverless environment of Databricks is known to run Python {python[0]}.{python[1]}",
            "Run Dagster with Python 3.11 or 3.12, or give environment_version of step_launcher",
        )
    return _SERVERLESS_VERSIONS[python]
