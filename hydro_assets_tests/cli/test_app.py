"""What every command shares: the version, and the end by Ctrl-C."""

from __future__ import annotations

import signal
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hydro_assets
from hydro_assets.cli import run_commands
from hydro_assets.cli.app import INTERRUPTED, app


def test_version__is_the_one_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"hydro_assets {hydro_assets.__version__}\n")
    assert version("hydro_assets") == hydro_assets.__version__


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c__ends_a_command_with_one_sentence(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(run_commands, "print_status", lambda _: signal.raise_signal(number))
    try:
        result = CliRunner().invoke(app, ["status"])
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert result.exit_code == INTERRUPTED
    assert result.output == "stopped: what was finished is kept, and the same command goes on from there\n"


def test_status__of_an_empty_home_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRO_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0
    assert f"There is no table under {tmp_path} yet" in result.output
    assert [word for word in ("hydro demo", "hydro import FILE", "hydro run") if word not in result.output] == []
