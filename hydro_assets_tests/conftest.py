"""Fixtures every test may use: a farm in a temporary folder, with nothing of the machine's environment in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hydro_assets.lakehouse import Lakehouse, environments
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets_tests.builders.spark_server import SparkServer, spark_server

OF_THE_CALLER = ("HYDRO_", "MLFLOW_", "SPARK_", "DATABRICKS_")
# Who asks for tests on a real workspace (HYDRO_DATABRICKS_TEST=1) means the one that these variables name.
KEPT = {"HYDRO_DATABRICKS_TEST"} | (
    {name for name in os.environ if name.startswith("DATABRICKS_")} if "HYDRO_DATABRICKS_TEST" in os.environ else set()
)


def _of_the_caller() -> list[str]:
    return [name for name in os.environ if name.startswith(OF_THE_CALLER) and name not in KEPT]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--home", type=Path, help="the browser test opens this home, as of `make demo`, not a small farm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes first: of two workers, none is left alone with one at the end."""
    long = {item.path for item in items for mark in ("jvm", "databricks", "smoke") if item.get_closest_marker(mark)}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A working directory without `.hydro`, and no variable of the caller: for fixtures of every scope."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _of_the_caller():
            patch.delenv(name)
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(autouse=True)
def _no_setting_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in _of_the_caller() if n.startswith("HYDRO_")]:
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
        environments.stop_connected()  # Spark's client would take leave of a stopped server for ten minutes
