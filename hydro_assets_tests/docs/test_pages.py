"""The documentation names only what there is: commands, options, files, settings; and it builds strictly."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from hydro_assets.cli.app import app
from hydro_assets.settings_sources import setting_names

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def code_of(page: Path) -> list[str]:
    """Lines of indented blocks and fences, and what stands between backticks."""
    text = page.read_text()
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.splitlines()]
    return [*lines, *fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]


def commands_of(page: Path) -> list[list[str]]:
    found = []
    for line in code_of(page):
        words = shlex.split(line.split("  #")[0].rstrip("."), comments=False) if line.count('"') % 2 == 0 else []
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words[1:] and words[0].rsplit("/", 1)[-1] == "hydro" and words[1].islower():
            found.append(words[1:])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_commands_and_options_that_exist(page: Path) -> None:
    wrong = []
    for name, *rest in commands_of(page):
        known = {o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts)} if name in COMMANDS else set()
        wrong += [] if name in COMMANDS else [name]
        wrong += [f"{name} {w}" for w in rest if w.startswith("--") and w.partition("=")[0] not in {*known, "--help"}]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_files_that_exist(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"`((?:hydro_assets|docs|bench|\.ci|\.github)/[\w./-]+)`", text)
    paths += [target for target in re.findall(r"\]\(([\w./-]+\.(?:md|png))[#)]", text) if "reference/" not in target]
    missing = [p for p in paths if not (ROOT / p).exists() and not (page.parent / p).exists()]
    assert [p for p in missing if p != "docs/reference/"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_settings_that_exist(page: Path) -> None:
    known = {f"HYDRO_{name.replace('.', '__').upper()}" for name in setting_names()}
    groups = {name.rpartition("__")[0] for name in known}
    named = set(re.findall(r"\bHYDRO_[A-Z_]*[A-Z]", page.read_text()))
    others = {"HYDRO_HOME", "HYDRO_DATABRICKS_TEST", "HYDRO_HISTORIES", "HYDRO_STEP_LAUNCHER"}
    assert named - known - groups - others == set()


def test_commands__in_the_documentation_are_found() -> None:
    assert sum(len(commands_of(page)) for page in PAGES) > 30


def test_site__builds_strictly_with_the_generated_pages(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is an extra")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(ROOT / "mkdocs.yml"), "-d"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reference = {path.name: path.read_text() for path in (tmp_path / "reference").iterdir()}
    assert "recurrent.max_windows_per_epoch" in reference["settings.html"]
    assert "lightgbm_optimal_probability" in reference["tables.html"]
    assert "hydro batch-inference" in reference["commands.html"]
