"""The typer application and its single exit for errors."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from rich.console import Console

from hydro_assets.errors import HydroError
from hydro_assets.settings import Settings, load_settings

app = typer.Typer(
    name="hydro",
    help="hydro_assets: from Gold sensor readings to forecasts a farm can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def settings_with(**options: Any) -> Settings:
    """Settings of the environment and file, with the options that were given on the command line."""
    return load_settings(**{name: value for name, value in options.items() if value is not None})


def console() -> Console:
    """Standard output for tables; wide enough for ours where it is not a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=120)


def say(text: str) -> None:
    """One line of progress, on standard error so that results can be piped."""
    typer.echo(text, err=True)


def main() -> None:
    """Entry point of `hydro`: exit code 0, 1 for an error the user can mend, 2 for wrong usage."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it announces each check of an example
    try:
        app()
    except HydroError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
