"""`hydro`: the command line. Each group of commands is a module; `main` turns errors into one clear sentence."""

from hydro_assets.cli.app import main

__all__ = ["main"]
