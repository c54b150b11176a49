"""`hydro backtest`: what the models are worth on a benchmark of farms, beside the baseline and a plain peer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.cli.backtest_table import print_backtest
from hydro_assets.cli.progress import TimeLeft, progress_bar
from hydro_assets.errors import SettingsError
from hydro_assets.tables import MODELS

if TYPE_CHECKING:
    from hydro_assets.settings import Settings
    from hydro_assets.training.backtest import Farm


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


@app.command("backtest")
def backtest_command(
    csv: Annotated[list[Path] | None, typer.Option(help="raw sensor export; several are one farm")] = None,
    farms: Annotated[
        str | None, typer.Option(help="simulated farms, comma-separated; `all`; default all without --csv, else none")
    ] = None,
    step: Annotated[str | None, typer.Option(help="grid step of the export, for example 10s, 1min, 1h")] = None,
    lead_times: Annotated[str | None, typer.Option(help="beside one step, for example 15min,1h,6h")] = None,
    targets: Annotated[str | None, typer.Option(help="sensor columns, comma-separated; default as configured")] = None,
    models: Annotated[str, typer.Option(help="kinds of models, comma-separated")] = ",".join(MODELS),
    system: Annotated[str | None, typer.Option(help="system_id of readings that carry none")] = None,
    folds: Annotated[int, typer.Option(min=1, max=50, help="rolling origins over the holdout")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="largest number of epochs; default as configured")] = None,
    windows: Annotated[int | None, typer.Option(min=1, help="windows an epoch reads; default as configured")] = None,
    seed: Annotated[int, typer.Option(help="of the simulated farms")] = 7,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.TABLE,
) -> None:
    """Train on the first part of each farm, measure on the last, and print the whole table and its summary."""
    from hydro_assets.training.backtest import Farm, backtest

    chosen = {"feature_step": step, "lead_times": lead_times, "targets": targets}
    if targets is not None:
        chosen["target_col"] = _words(targets)[0]
    settings = settings_with(**chosen)
    recurrent = {"epochs": epochs, "max_windows_per_epoch": windows}
    given = {name: value for name, value in recurrent.items() if value is not None}
    settings = settings.model_copy(update={"recurrent": settings.recurrent.model_copy(update=given)})
    kinds = _among(models, MODELS, "--models")
    measured = _simulated(farms if farms is not None or csv else "all", settings, seed)
    if csv:
        measured.append(Farm.of_exports(csv[0].stem, csv, system, settings, datetime.now(UTC)))
    for farm in measured:
        for note in farm.notes:
            say(f"note: {farm.name}: {note}")
    with progress_bar("measuring"):
        result = backtest(measured, kinds, folds, _numbered(measured, folds))
    typer.echo(json.dumps(result.to_json(), indent=1)) if output is Format.JSON else print_backtest(result, kinds)


def _numbered(farms: Sequence[Farm], folds: int) -> Callable[[str], None]:
    """`say`, with the number of each fold that begins and the time left: a fold's time is taken as of its rows."""
    names = {farm.name for farm in farms}
    left = TimeLeft([farm.features.height for farm in farms for _ in range(folds)])

    def report(line: str) -> None:
        farm, is_fold, _ = line.rpartition(": fold ")
        if is_fold and farm in names:
            line = f"{left.begin()} {line}"
        say(line)

    return report


def _simulated(names: str | None, settings: Settings, seed: int) -> list[Farm]:
    from hydro_assets.simulator.farms import FARMS
    from hydro_assets.training.backtest import Farm

    known = {kind.name: (kind, number) for number, kind in enumerate(FARMS)}
    if names is None:
        return []
    wanted = list(known) if names == "all" else _among(names, tuple(known), "--farms")
    made = []
    for name in wanted:
        say(f"simulating {name}")
        kind, number = known[name]
        own = settings.model_copy(update={"feature_step": kind.cadence})  # a grid of its own cadence
        made.append(Farm.of_readings(name, kind.readings(seed + number), own))
    return made


def _words(text: str) -> list[str]:
    words = list(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))
    if not words:
        raise SettingsError("a comma-separated option is empty", "Write for example ph_level,tds_level")
    return words


def _among(text: str, known: tuple[str, ...], option: str) -> list[str]:
    bad = [w for w in _words(text) if w not in known]
    if bad:
        raise SettingsError(f"{option} {', '.join(bad)} is not known", f"Choose among {', '.join(known)}")
    return _words(text)
