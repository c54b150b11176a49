"""Virtual environments that stand for clusters and serverless environments, built once and kept between sessions."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hydro_assets.databricks.requirements import SERVERLESS_ENVIRONMENTS, serverless_requirements
from hydro_assets_tests.builders.spark_server import REPOSITORY

# What Databricks' clients pin themselves.
OF_THE_CLIENT = {
    "databricks-sdk",
    "googleapis-common-protos",
    "grpcio",
    "grpcio-health-checking",
    "grpcio-status",
    "protobuf",
    "py4j",
    "setuptools",
}


def python_with(requirements: Sequence[str], python: str = sys.executable, constraints: Sequence[str] = ()) -> Path:
    """Interpreter of a virtual environment of `python` with `requirements` only; skips where it cannot be built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hydro_assets"
    stamp = json.dumps([sorted(requirements), python, sorted(constraints), sys.version])
    folder = cache / f"cluster-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    built, done = folder / "bin" / "python", folder / "complete"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it at once
        if not done.exists():
            limits = cache / f"{folder.name}.txt"
            limits.write_text("\n".join(constraints))
            for command in (
                [python, "-m", "venv", "--clear", str(folder)],
                [str(built), "-m", "pip", "install", "-q", "-c", str(limits), *requirements],
            ):
                ran = subprocess.run(command, capture_output=True, text=True, check=False)
                if ran.returncode:
                    pytest.skip(f"the environment of a cluster cannot be built: {ran.stderr.strip()[-300:]}")
            done.touch()
    return built


def pinned_versions(but: Sequence[str] = ()) -> list[str]:
    """The lines of constraints.txt, less those of the packages `but`: without them pip looks for versions at length."""
    lines = [line.partition("#")[0].strip() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()]
    return [line for line in lines if line and Requirement(line).name not in but]


def serverless_python(version: str, torch: bool = False) -> Path:
    """Interpreter with Databricks' client of a serverless environment and what a task installs there."""
    (environment,) = [e for e in SERVERLESS_ENVIRONMENTS if e.version == version]
    found = sys.executable if sys.version_info[:2] == environment.python else _interpreter(environment.python)
    own = {Requirement(line).name for line in environment.keeps} | OF_THE_CLIENT
    requirements = [environment.client, *serverless_requirements(version, torch)]
    return python_with(requirements, found, pinned_versions(but=sorted(own)))


def _interpreter(version: tuple[int, int]) -> str:
    """A Python of that minor version on the PATH, or beside the one that runs (pyenv keeps them side by side)."""
    name = f"python{version[0]}.{version[1]}"
    beside = sorted(Path(sys.base_prefix).parent.glob(f"{version[0]}.{version[1]}.*/bin/{name}"))
    for candidate in (*map(str, beside), shutil.which(name)):
        if candidate and subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"needs {name}")
