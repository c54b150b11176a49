from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from hydro_assets.databricks.code_archive import code_archive
from hydro_assets.errors import SettingsError

SHIPPED = ["farm/__init__.py", "farm/jobs/job.json", "farm/model.py", "farm/notes.md", "farm/py.typed"]
NOT_SHIPPED = [
    "farm/.env", "farm/.hidden/a.py", "farm/__pycache__/model.pyc", "farm/data/readings.csv", "farm/data/loader.py",
    "farm/weights.pt", "farm/key.pem", ".env", ".git/config", "farm_tests/__init__.py", "setup.py",
]  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in SHIPPED + NOT_SHIPPED:
        path = tmp_path / "logs" / "pytest" / name  # names that dagster-databricks' own archive drops silently
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "logs" / "pytest"


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_archive__holds_the_package_and_nothing_else(checkout: Path) -> None:
    content, _ = code_archive(checkout, ["farm"])
    assert names(content) == SHIPPED


def test_archive__is_equal_for_equal_sources_and_differs_for_others(checkout: Path) -> None:
    first = code_archive(checkout, ["farm"])
    (checkout / "farm/model.py").touch()
    (checkout / "setup.py").write_text("changed")
    assert code_archive(checkout, ["farm"]) == first
    (checkout / "farm/model.py").write_text("x = 2")
    assert code_archive(checkout, ["farm"])[1] != first[1]


def test_missing_package__is_named(checkout: Path) -> None:
    with pytest.raises(SettingsError, match="no package barn"):
        code_archive(checkout, ["farm", "barn"])


def test_archive_of_this_project__has_the_jobs_and_no_test() -> None:
    import hydro_assets

    content, _ = code_archive(Path(hydro_assets.__file__).parents[1], ["hydro_assets"])
    assert "hydro_assets/databricks/ml_training.json" in names(content)
    assert all(name.startswith("hydro_assets/") for name in names(content))
    assert len(content) < 2_000_000
