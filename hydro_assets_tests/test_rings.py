"""The house: imports run down only, without a circle; only the outer ring knows Dagster; definitions load light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hydro_assets

ROOT = Path(hydro_assets.__file__).parent
# Top to bottom; rooms of one floor do not import each other.
FLOORS = (
    {"cli"},
    {"definitions"},
    {"defs"},
    {"databricks"},
    {"pipeline"},
    {"report"},
    {"monitoring"},
    {"scoring"},
    {"registry"},
    {"training"},
    {"forecasting"},
    {"quality"},
    {"features"},
    {"simulator"},
    {"ingest"},
    {"lakehouse"},
    {"settings_sources"},
    {"settings"},
    {"setting_groups", "setting_types"},
    {"tables"},
    {"durations", "errors"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
OUTER = {"definitions", "defs", "databricks/step_launcher"}
HEAVY = {"torch", "lightgbm", "mlflow", "pyspark", "pysail", "sklearn", "matplotlib", "pandas"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def is_outer(path: Path) -> bool:
    relative = path.relative_to(ROOT).with_suffix("").as_posix()
    return any(relative == outer or relative.startswith(f"{outer}/") for outer in OUTER)


def imports(path: Path) -> Iterator[str]:
    """Full dotted names of all that a module imports, inside functions and for type checkers too."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> Path | None:
    """The file that a dotted name of this project comes from."""
    parts = name.split(".")
    if parts[0] != "hydro_assets":
        return None
    for end in range(len(parts), 1, -1):
        place = ROOT.joinpath(*parts[1:end])
        if place.with_suffix(".py").is_file():
            return place.with_suffix(".py")
        if (place / "__init__.py").is_file():
            return place / "__init__.py"
    return None


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports__run_down(path: Path) -> None:
    if path == ROOT / "__init__.py" or path == ROOT / "forecasting" / "recurrent.py":  # the second until fit moves up
        return
    mine = room(path)
    theirs = {room(found) for name in imports(path) if (found := module_of(name)) and found != ROOT / "__init__.py"}
    up = {other for other in theirs - {mine} if FLOOR[other] <= FLOOR[mine]}
    assert not up, f"{mine} imports {up}, which stand above or beside it"


def test_imports__have_no_circle() -> None:
    graph = {
        path: {found for name in imports(path) if (found := module_of(name)) and found != path} for path in modules()
    }
    faces = {path for path in graph if path.name == "__init__.py"}  # they hand names on
    TopologicalSorter({path: found - faces for path, found in graph.items() if path not in faces}).prepare()


@pytest.mark.parametrize("path", [p for p in modules() if not is_outer(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_inner_ring__never_imports_dagster(path: Path) -> None:
    assert not {name for name in imports(path) if name.startswith("dagster")}


def test_modules__each_say_what_belongs_there() -> None:
    assert [str(p) for p in modules() if not ast.get_docstring(ast.parse(p.read_text()))] == []


def test_modules__have_names_of_their_own() -> None:
    """A file name says what it is without its folder."""
    counted = Counter(p.name for p in modules() if p.name != "__init__.py")
    assert [name for name, count in counted.items() if count > 1] == []


def test_training_of_lightgbm_and_scoring__load_no_torch() -> None:
    """A task on Databricks that does either has none."""
    code = (
        "import sys, hydro_assets.cli, hydro_assets.pipeline.training, hydro_assets.pipeline.scoring; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
