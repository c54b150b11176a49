"""The documentation names only what there is: commands, options, files, settings; and it builds strictly."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hydro_assets import cli
from hydro_assets.cli.app import app, commands_of
from hydro_assets.settings_sources import setting_names

assert cli  # importing it registers the commands
ROOT = Path(__file__).parents[2]
OTHERS = ("README.md", "CONTRIBUTING.md", "hydro_assets/databricks/README.md")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in OTHERS)])
ROOT_COMMAND: Any = typer.main.get_command(app)
COMMANDS = dict(commands_of(ROOT_COMMAND))
USAGE_ERROR: Any = typer.BadParameter.__base__


def code_of(page: Path) -> list[str]:
    """Lines of indented blocks and fences, and what stands between backticks."""
    text = page.read_text()
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.splitlines()]
    return [*lines, *fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]


def calls_of(page: Path) -> list[list[str]]:
    found = []
    for line in code_of(page):
        words = shlex.split(line.split("  #")[0].rstrip("."), comments=False) if line.count('"') % 2 == 0 else []
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words[1:] and words[0].rsplit("/", 1)[-1] == "hydro" and words[1] != "COMMAND":
            found.append(["1" if word == "N" else word for word in words[1:]])
    return found


def refusal(words: list[str]) -> str | None:
    """What the command line would say against these words of a page; None when it takes them."""
    if words[0].startswith("--"):
        return None if words[0] in {option for p in ROOT_COMMAND.params for option in p.opts} else words[0]
    path = next((p for p in (" ".join(words[:2]), words[0]) if p in COMMANDS), None)
    if path is None:
        return f"no command {words[0]}"
    try:
        COMMANDS[path].make_context(path, [w for w in words[len(path.split()) :] if w != "--help"])
    except USAGE_ERROR as error:
        is_bare = len(words) == len(path.split())  # `hydro train` in a sentence is a name and no call
        return None if is_bare and "Missing argument" in error.format_message() else error.format_message()
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_commands_that_the_command_line_takes(page: Path) -> None:
    assert [(words, said) for words in calls_of(page) if (said := refusal(words)) is not None] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("grow", "no command"),
        ("run --stepp 5min", "No such option"),
        ("promote xgboost", "xgboost"),
        ("forget three", "integer"),
        ("--instal", "--instal"),
    ],
)
def test_refusal__is_seen(words: str, said: str) -> None:
    assert said in (refusal(words.split()) or "")


def files_of(page: Path) -> set[str]:
    """Files of the project that a page names: in code with a folder before them, or as a link."""
    bare = (word.strip("`,;:()'\"") for line in code_of(page) for word in line.split())
    words = {re.sub(r"^[ab]/(?=hydro_assets/)", "", word) for word in bare}  # as a diff names them
    named = {w for w in words if re.fullmatch(r"[\w./-]+/[\w.-]+\.(?:py|md|toml|json|yml|yaml|html)", w)}
    named |= {
        w for w in words if re.fullmatch(r"(?:hydro_assets|hydro_assets_tests|docs|bench|\.ci|\.github)/[\w./-]+", w)
    }
    links = re.findall(r"\]\(([\w./-]+\.(?:md|png|py|ipynb))[#)]", page.read_text())
    return {name for name in {*named, *links} if not name.startswith(("/", ".hydro/", ".venv/", "reference/"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_files_that_exist(page: Path) -> None:
    places = (ROOT, page.parent, ROOT / "hydro_assets", ROOT / "hydro_assets_tests")
    made = {"docs/reference/"}  # by the build of the site
    assert {f for f in files_of(page) if not any((place / f).exists() for place in places)} - made == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_targets_of_make_that_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {found[1] for line in code_of(page) if (found := re.match(r"make ([a-z]+)", line))}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page__names_settings_that_exist(page: Path) -> None:
    known = {f"HYDRO_{name.replace('.', '__').upper()}" for name in setting_names()}
    groups = {name.rpartition("__")[0] for name in known}
    named = set(re.findall(r"\bHYDRO_[A-Z_]*[A-Z]", page.read_text()))
    others = {"HYDRO_HOME", "HYDRO_DATABRICKS_TEST", "HYDRO_HISTORIES", "HYDRO_STEP_LAUNCHER"}
    assert named - known - groups - others == set()


def test_commands__in_the_documentation_are_found() -> None:
    assert sum(len(calls_of(page)) for page in PAGES) > 30
    assert sum(len(files_of(page)) for page in PAGES) > 30


def test_site__builds_strictly_with_the_generated_pages(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is an extra")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(ROOT / "mkdocs.yml"), "-d"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reference = {path.name: path.read_text() for path in (tmp_path / "reference").iterdir()}
    assert "recurrent.max_windows_per_epoch" in reference["settings.html"]
    assert "lightgbm_optimal_probability" in reference["tables.html"]
    assert "hydro batch-inference" in reference["commands.html"]
