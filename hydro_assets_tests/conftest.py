"""Fixtures every test may use: a farm in a temporary folder, with nothing of the machine's environment in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings, load_settings
from hydro_assets_tests.builders.spark_server import SparkServer, spark_server


@pytest.fixture(autouse=True)
def _no_farm_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("HYDRO_") and n != "HYDRO_DATABRICKS_TEST"]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    def _make(**overrides: Any) -> Settings:
        return load_settings(home=tmp_path / "hydro", **overrides)

    return _make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def lakehouse(settings: Settings) -> Lakehouse:
    return Lakehouse(settings)


@pytest.fixture(scope="session")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """One Spark Connect server of Apache Spark with Delta for all tests; skips where there is no Java or no jar."""
    with spark_server(tmp_path_factory.mktemp("spark_server")) as server:
        yield server
