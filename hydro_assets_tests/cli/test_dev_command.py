"""`hydro dev` looks before it starts: a free port, and nobody else on this home."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hydro_assets.cli.dev_command import HOST, only_one, require_free
from hydro_assets.errors import SettingsError


def test_port__that_another_program_has_is_named_with_its_option() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"--port {taken}: Address already in use.*--port {taken + 1}"):
            require_free({"--port": taken, "--mlflow-port": taken + 20})
        with pytest.raises(SettingsError, match=rf"for example hydro dev --mlflow-port {taken + 2}"):
            require_free({"--port": taken + 1, "--mlflow-port": taken})
    require_free({"--port": taken})


def test_port__of_both_uis_cannot_be_one() -> None:
    with pytest.raises(SettingsError, match="--port and --mlflow-port are the same"):
        require_free({"--port": 38471, "--mlflow-port": 38471})


def test_second_start__says_where_the_first_one_is(tmp_path: Path) -> None:
    with only_one(tmp_path, "http://127.0.0.1:3000"):
        with (
            pytest.raises(SettingsError, match=r"runs already on this home .* at http://127.0.0.1:3000"),
            only_one(tmp_path, "http://127.0.0.1:3001"),
        ):
            pass
        with only_one(tmp_path / "another", "http://127.0.0.1:3001"):
            pass
    with only_one(tmp_path, "http://127.0.0.1:3002"):
        pass
