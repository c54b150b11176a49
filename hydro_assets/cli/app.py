"""The typer application and its single exit for errors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from typer.core import TyperGroup

from hydro_assets import __version__
from hydro_assets.cli.examples import epilog
from hydro_assets.cli.foreign_errors import fault, foreign_error
from hydro_assets.cli.scratch import own_scratch
from hydro_assets.errors import HydroError, SourceFileError
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings

WIDTH = 100  # characters that every table fits
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended, by convention 128 + SIGINT


class _Commands(TyperGroup):
    """Commands with their examples, which Ctrl-C (or SIGTERM) ends with one sentence.

    typer would say "Aborted" and exit with 1.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for path, command in commands_of(self):
            command.epilog = epilog(path)

    def invoke(self, ctx: Any) -> Any:  # of the click that typer carries
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("stopped: what was finished is kept, and the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None


def commands_of(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with the words that name it, such as `databricks setup`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name, command


app = typer.Typer(
    name="hydro",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hydro_assets {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and stop")
    ] = False,
) -> None:
    """hydro_assets: from Gold sensor readings to forecasts a farm can trust."""


def settings_with(**options: Any) -> Settings:
    """Settings of the environment and file, with the options that were given on the command line."""
    return load_settings(**{name: value for name, value in options.items() if value is not None})


def require_file(path: Path) -> None:
    """Raise SourceFileError for what is no file: a folder, a pipe that nobody fills, a device without an end."""
    if path.exists() and not path.is_file():
        raise SourceFileError(f"{path} is not a file", "Name a file that lies on a disk")


def console() -> Console:
    """Standard output for tables; as wide as ours need where it is not a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)


def say(text: str) -> None:
    """One line of progress, on standard error so that results can be piped."""
    typer.echo(text, err=True)


def main() -> None:
    """Entry point of `hydro`, and its only exit.

    Exit code 0; 1 for an error the user can mend; 2 for wrong usage; 3 for a fault of hydro_assets itself, whose
    traceback goes to a file; 130 for Ctrl-C.
    """
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it announces each check of an example
    try:
        with own_scratch():
            app()
    except HydroError as error:
        _end(str(error), 1)
    except BaseException as error:  # the process ends here, and no user should have to read a traceback
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # of a library in Rust
            raise
        found = foreign_error(error)
        _end(str(found), 1) if found is not None else _end(fault(error), 3)


def _end(sentence: str, code: int) -> NoReturn:
    typer.secho(f"error: {sentence}", fg=typer.colors.RED, err=True)
    sys.exit(code)
