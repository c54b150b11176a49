"""The changes of docs/extending.md, applied to a copy of the package, and the lines below each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
CHANGES = {
    title: (diff, code)
    for title, diff, code in re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?```diff\n(.*?)```\n\n```python\n(.*?)```", PAGE, re.S | re.M
    )
}
PRINTED = {"Add a feature": r"ph_level_range_1h", "Add a sensor": r"2026-03-02 05:59:00 UTC ┆ 7.5 +┆ 7.5"}


@pytest.mark.parametrize("title", PRINTED)
def test_change__applies_and_does_what_the_page_says(title: str, tmp_path: Path) -> None:
    diff, code = CHANGES[title]
    shutil.copytree(ROOT / "hydro_assets", tmp_path / "hydro_assets", ignore=shutil.ignore_patterns("__pycache__"))
    applied = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, input=diff, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    environment = {**os.environ, "HYDRO_HOME": str(tmp_path / "home"), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTED[title], done.stdout), done.stdout


def test_page__has_no_change_that_is_not_tried() -> None:
    assert set(CHANGES) == set(PRINTED)
    assert PAGE.count("```diff") == len(PRINTED)
