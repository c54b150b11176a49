from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

import hydro_assets
from hydro_assets.defs import code_version as subject
from hydro_assets.defs.assets import all_assets
from hydro_assets.settings import Settings

ADAPTERS = {name: f"hydro_assets.defs.assets.{name}" for name in ("sensor_features", "registered_models")}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code, which may be changed."""
    root = tmp_path / "hydro_assets"
    shutil.copytree(Path(hydro_assets.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(subject, "_ROOT", root)
    return root


def versions() -> dict[str, str]:
    subject._imports.cache_clear()
    subject._modules.cache_clear()
    return {
        name: subject.code_version(module, shown_by="hydro_assets.pipeline.farm_report")
        for name, module in ADAPTERS.items()
    }


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("features/rolling.py", {"sensor_features", "registered_models"}),
        ("features/step_grid.py", {"sensor_features", "registered_models"}),
        ("training/splits.py", {"registered_models"}),
        ("defs/assets/sensor_features.py", {"sensor_features"}),
        ("defs/facts.py", set()),
        ("cli/app.py", set()),
        ("simulator/greenhouse.py", set()),
    ],
)
def test_code_version__changes_with_what_makes_the_asset(checkout: Path, file: str, changed: set[str]) -> None:
    before = versions()
    with (checkout / file).open("a") as source:
        source.write("\nCHANGED = 1\n")
    after = versions()
    assert {name for name in ADAPTERS if before[name] != after[name]} == changed


def test_code_version__is_the_same_in_a_copy_elsewhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = versions()
    monkeypatch.setattr(subject, "_ROOT", Path(hydro_assets.__file__).parent)
    assert versions() == there


def test_every_asset__has_a_version_of_its_code(settings: Settings) -> None:
    made = [asset for asset in all_assets(settings) if isinstance(asset, dg.AssetsDefinition)]
    assert made
    for asset in made:
        for version in asset.code_versions_by_key.values():
            assert version is not None
            assert len(version) == 12
