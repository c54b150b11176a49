"""A small farm, and one real training per kind for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.tracking import Provenance
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets_tests.builders.mlflow_server import MlflowServer
from hydro_assets_tests.builders.registered import log_and_register

if TYPE_CHECKING:
    from hydro_assets.training.train import TrainingResult

START = datetime(2024, 3, 1, tzinfo=UTC)
QUICK: dict[str, Any] = {
    "minimum_records": 100,
    "forecast_horizon": 2,
    "lead_times": (),
    "sequence_length": 12,
    "recurrent": {"hidden_size": 4, "num_layers": 1, "epochs": 2},
    "lightgbm": {"num_boost_round": 10},
}


def feature_rows(minutes: int = 1200, seed: int = 7) -> pl.DataFrame:
    """Rows of one system at 1 min: pH swings within an hour, so that looking back further than a step pays."""
    random = np.random.default_rng(seed)
    t = np.arange(minutes)
    ph = 6.0 + 0.4 * np.sin(2 * np.pi * t / 50) + random.normal(0, 0.01, minutes)
    return pl.DataFrame(
        {
            "system_id": ["bed_1"] * minutes,
            "timestamp": pl.Series([START + timedelta(minutes=int(m)) for m in t]).cast(pl.Datetime("us", "UTC")),
            "ph_level": ph,
            "ph_level_lag_5min": pl.Series(np.roll(ph, 5)).scatter(range(5), None),
            "air_temperature": 22 + random.normal(0, 0.1, minutes),
            "reading_count": pl.Series(random.integers(1, 7, minutes)).cast(pl.Int32),
            "is_ph_reducer_on": pl.Series(np.sin(2 * np.pi * t / 50) > 0.9).scatter([3], None),
            "is_env_optimal": ph < 6.3,
        }
    )


def quick_settings(**overrides: Any) -> Settings:
    return load_settings(**(QUICK | overrides))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without content; making its tables takes seconds, copying it does not."""
    settings = quick_settings(home=tmp_path_factory.mktemp("empty_store"))
    mlflow_client(settings).search_experiments()
    return settings.root / "mlflow" / "mlflow.db"


@pytest.fixture
def quick(tmp_path: Path, empty_store: Path) -> Callable[..., Settings]:
    """Settings of quick trainings in a temporary home with an empty MLflow store."""
    store = tmp_path / "hydro" / "mlflow"
    store.mkdir(parents=True)
    shutil.copy(empty_store, store)
    return lambda **overrides: quick_settings(**({"home": tmp_path / "hydro"} | overrides))


@pytest.fixture
def server(tmp_path: Path, empty_store: Path) -> Iterator[MlflowServer]:
    """A running MLflow server with an empty store, killed at the end."""
    folder = tmp_path / "server"
    folder.mkdir()
    served = MlflowServer(Path(shutil.copy(empty_store, folder)))
    served.start()
    try:
        yield served
    finally:
        served.kill()


@pytest.fixture(scope="session")
def stocked_store(
    tmp_path_factory: pytest.TempPathFactory,
    empty_store: Path,
    trained: Callable[[str], TrainingResult],
    provenance: Provenance,
    features: pl.DataFrame,
) -> Path:
    """An MLflow database in which gru has two versions and lightgbm three, the newest one challenger each."""
    settings = quick_settings(home=tmp_path_factory.mktemp("stocked_store"))
    store = settings.root / "mlflow"
    store.mkdir()
    shutil.copy(empty_store, store)
    for kind in ("gru", "gru", "lightgbm", "lightgbm", "lightgbm"):
        log_and_register(trained(kind), settings, provenance, features)
    return store / "mlflow.db"


@pytest.fixture
def stocked(quick: Callable[..., Settings], stocked_store: Path) -> Settings:
    """Settings of a farm with its own copy of the stocked store, files included."""
    settings = quick()
    shutil.copytree(stocked_store.parent, settings.root / "mlflow", dirs_exist_ok=True)
    return settings


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    return Provenance(
        trained_at=datetime(2024, 3, 2, 6, tzinfo=UTC),
        dagster_run_id="run-1",
        asset="hydroponics_lstm_forecast",
        partition="2024-03-01",
        git_commit="0123abc",
        feature_table="feature_store.sensor_features",
        feature_uri="/lake/feature_store/sensor_features",
        feature_version=3,
        gold_version=5,
    )


@pytest.fixture(scope="session")
def features() -> pl.DataFrame:
    return feature_rows()


@pytest.fixture(scope="session")
def trained(features: pl.DataFrame) -> Callable[[str], TrainingResult]:
    """Result of a real, small training of a kind; trained once."""
    import torch

    from hydro_assets.training.train import train

    torch.set_num_threads(1)
    results: dict[str, TrainingResult] = {}

    def of(kind: str) -> TrainingResult:
        if kind not in results:
            results[kind] = train(kind, features, quick_settings())
        return results[kind]

    return of
