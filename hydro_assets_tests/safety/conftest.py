from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets_tests.safety import farm


@pytest.fixture
def small_farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings of a farm with some days of Gold, whose trainings are stood in for."""
    farm.stand_in(monkeypatch)
    home = farm.new_home(tmp_path / "home")

    def settings(**chosen: Any) -> Settings:
        return load_settings(home=home, **farm.SMALL | chosen)

    farm.import_hours(settings(), 0, farm.HOURS // 2, 0, 0)
    return settings
