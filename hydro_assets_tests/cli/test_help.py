"""What a newcomer finds without a manual: examples under every help, completion of the shell, tables that fit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from hydro_assets import cli
from hydro_assets.cli.app import WIDTH, app, commands_of, console
from hydro_assets.cli.examples import EXAMPLES

assert cli  # importing it registers the commands
ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands_of(ROOT))
WORDS = [(name, line) for name, lines in EXAMPLES.items() for line in lines if line.startswith("hydro ")]


def test_examples__are_there_for_every_command_and_no_other() -> None:
    assert sorted(EXAMPLES) == sorted(COMMANDS)
    assert {name for name, _ in WORDS} == set(COMMANDS)


@pytest.mark.parametrize(("name", "line"), WORDS, ids=[line for _, line in WORDS])
def test_example__is_accepted_by_the_parser_of_its_command(name: str, line: str) -> None:
    words = shlex.split(re.split(r" [<>|] ", line)[0])[1:]
    assert words[: len(name.split())] == name.split()
    COMMANDS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("name", COMMANDS)
def test_help__ends_with_the_examples_as_they_are_typed(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": str(WIDTH)})
    assert shown.exit_code == 0
    assert [line for line in shown.output.splitlines() if len(line) > WIDTH] == []
    flat = " ".join(shown.output.split())
    assert [line for line in EXAMPLES[name] if line not in flat] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("hydro sta", {"status"}), ("hydro train ", {"lstm", "gru", "lightgbm"}), ("hydro demo --d", {"--days"})],
    ids=["command", "argument", "option"],
)
def test_completion__offers_what_may_follow(typed: str, offered: set[str]) -> None:
    words = {"_HYDRO_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    code = "import sys; sys.argv[0] = 'hydro'; from hydro_assets.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **words}, capture_output=True, text=True, check=False
    )
    assert offered == set(done.stdout.split()), done.stderr


def test_tables__have_100_columns_where_there_is_no_terminal() -> None:
    assert console().width == WIDTH == 100
