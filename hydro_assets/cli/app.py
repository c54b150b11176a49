"""The typer application and its single exit for errors."""

from __future__ import annotations

import sys

import typer

from hydro_assets.errors import HydroError

app = typer.Typer(
    name="hydro",
    help="hydro_assets: from Gold sensor readings to forecasts a farm can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of `hydro`: exit code 0, 1 for an error the user can mend, 2 for wrong usage."""

    try:
        app()
    except HydroError as error:
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
