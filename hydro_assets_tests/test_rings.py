"""The two rings: only the outer one knows Dagster, and definitions load nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hydro_assets

ROOT = Path(hydro_assets.__file__).parent
OUTER = {"definitions.py", "assets", "checks", "automation", "resources"}
HEAVY = {"torch", "lightgbm", "mlflow", "pyspark", "pysail", "sklearn", "matplotlib", "pandas"}


def inner_modules() -> Iterator[Path]:
    return (p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] not in OUTER)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", inner_modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_inner_ring__never_imports_dagster(path: Path) -> None:
    assert not {name for name in imports(path) if name.startswith("dagster")}


@pytest.mark.parametrize("path", inner_modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_inner_ring__imports_the_outer_ring_only_where_commands_start_it(path: Path) -> None:
    outer = {name.removesuffix(".py") for name in OUTER}
    named = {
        node.module.split(".")[1]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hydro_assets.")
    }
    assert not named & outer or path.parent.name == "cli"


def test_definitions__load_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import json, sys; import hydro_assets.definitions; "
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HYDRO_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert HEAVY & set(json.loads(out.stdout.splitlines()[-1])) == set()
