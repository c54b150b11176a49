"""What a task on Databricks installs: our requirements as tested here, beside what its environment keeps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from hydro_assets.errors import SettingsError

# The runtime's own Spark and Delta must not be shadowed by PyPI's; Sail is the local engine.
_FROM_THE_RUNTIME = frozenset({"pyspark", "delta-spark", "pysail"})
# Databricks' client is built on these: a task keeps the ones it finds.
_OF_THE_ENVIRONMENT = frozenset({"numpy", "pandas", "pyarrow"})
# Launching, the UI and `hydro serve` happen on the host.
_ON_THE_HOST = frozenset({"dagster-databricks", "dagster-mlflow", "fastapi", "uvicorn"})
# Needed to train and to serve the LSTM and the GRU, and the largest by far.
TORCH = "torch"


@dataclass(frozen=True)
class ServerlessEnvironment:
    """One environment version of Databricks' serverless compute."""

    version: str
    python: tuple[int, int]
    client: str
    """The Databricks Connect that a task there imports as `pyspark`."""
    keeps: tuple[str, ...]
    """Pip requirements that hold what the client is built on, so that no other requirement replaces it."""


# https://docs.databricks.com/aws/en/release-notes/serverless/environment-version. The pins of 5 are those of its
# published base image. Those of 2 are bounds: its client wants numpy < 2 and does not import beside pyarrow 21.
SERVERLESS_ENVIRONMENTS = (
    ServerlessEnvironment(
        "2", (3, 11), "databricks-connect==15.4.5", ("numpy>=1.26,<2", "pandas>=2.2,<3", "pyarrow>=14,<21")
    ),
    ServerlessEnvironment(
        "5",
        (3, 12),
        "databricks-connect==18.0.*",
        (
            "numpy==2.1.3",
            "pandas==2.2.3",
            "pyarrow==21.0.0",
            "protobuf==5.29.4",
            "grpcio==1.67.0",
            "grpcio-status==1.67.0",
        ),
    ),
)


def cluster_requirements(torch: bool = True) -> list[str]:
    """Pip requirements of a task, pinned to the versions installed here. `torch`: whether its step needs PyTorch.

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
    left_out = _FROM_THE_RUNTIME | _OF_THE_ENVIRONMENT | _ON_THE_HOST | (frozenset() if torch else {TORCH})
    return sorted(
        f"{r.name}=={metadata.version(r.name).split('+')[0]}"  # a local build such as 2.13.0+cpu is no release
        for r in needed
        if (r.marker is None or r.marker.evaluate({"extra": ""})) and r.name not in left_out
    )


def serverless_requirements(version: str, torch: bool = True) -> list[str]:
    """Pip requirements of a task in a serverless environment; one that is not known here keeps what it keeps."""
    kept = [e.keeps for e in SERVERLESS_ENVIRONMENTS if e.version == version]
    return [*cluster_requirements(torch), *(kept[0] if kept else ())]


def require_python_of(version: str, python: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raise SettingsError when a serverless environment is known to run another Python minor version than the host."""
    known = [environment.python for environment in SERVERLESS_ENVIRONMENTS if environment.version == version]
    if known and known[0] != python:
        runs, here = (".".join(map(str, pair)) for pair in (known[0], python))
        raise SettingsError(
            f"Serverless environment {version} runs Python {runs}, and this host runs {here}",
            f"Leave environment_version of step_launcher out, or run Dagster with Python {runs}",
        )


def serverless_version(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Serverless environment version whose Python is `python`: launched steps need the host's minor version.

    Raises:
        SettingsError: no serverless environment has that Python.
    """
    found = [environment.version for environment in SERVERLESS_ENVIRONMENTS if environment.python == python]
    if not found:
        raise SettingsError(
            f"no serverless environment of Databricks is known to run Python {python[0]}.{python[1]}",
            "Run Dagster with Python 3.11 or 3.12, or give environment_version of step_launcher",
        )
    return found[0]
