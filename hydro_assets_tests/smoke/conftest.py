"""One small farm, simulated and materialised once for all smoke tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hydro_assets.defs.run_all import run_pipeline
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate


@dataclass(frozen=True)
class Farm:
    settings: Settings
    lakehouse: Lakehouse


def small_settings(home: Path) -> Settings:
    return load_settings(home=home, recurrent={"epochs": 2, "max_windows_per_epoch": 256, "hidden_size": 8})


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Farm:
    settings = small_settings(tmp_path_factory.mktemp("farm"))
    lakehouse = Lakehouse(settings)
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    add_readings(lakehouse, simulate(2, start, end, seed=7, faults=Faults()))
    run_pipeline(settings, lambda _: None)
    return Farm(settings, lakehouse)
