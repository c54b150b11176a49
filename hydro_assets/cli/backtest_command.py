"""`hydro backtest`: what the models would have been worth on an export, beside the baselines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.errors import SettingsError
from hydro_assets.tables import MODELS

DEFAULT_TARGETS = "ph_level,tds_level,air_temperature,air_humidity"


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


@app.command("backtest")
def backtest_command(
    csv: Annotated[list[Path], typer.Option(help="raw sensor export; may be given several times")],
    step: Annotated[str | None, typer.Option(help="grid step, for example 10s, 1min, 1h")] = None,
    horizons: Annotated[str, typer.Option(help="steps ahead, comma-separated")] = "1,15,60",
    targets: Annotated[str, typer.Option(help="sensor columns, comma-separated")] = DEFAULT_TARGETS,
    models: Annotated[str, typer.Option(help="kinds of models, comma-separated")] = ",".join(MODELS),
    system: Annotated[str | None, typer.Option(help="system_id of readings that carry none")] = None,
    folds: Annotated[int, typer.Option(min=1, max=50, help="rolling origins over the holdout")] = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="largest number of epochs; default as configured")] = None,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.TABLE,
) -> None:
    """Train on the first part of an export, measure on the last, and print the whole table."""
    from hydro_assets.training.backtest import backtest, features_of_exports

    settings = settings_with(feature_step=step)
    if epochs is not None:
        settings = settings.model_copy(update={"recurrent": settings.recurrent.model_copy(update={"epochs": epochs})})
    steps = _numbers(horizons)
    kinds = _among(models, MODELS, "--models")
    features, notes = features_of_exports(csv, system, settings, datetime.now(UTC))
    for note in notes:
        say(f"note: {note}")
    result = backtest(features, settings, _words(targets), steps, kinds, folds, say)
    if output is Format.JSON:
        typer.echo(json.dumps(result.to_json(), indent=1))
        return
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=240,
        float_precision=4,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    ):
        typer.echo(result.table)
    for number, split in enumerate(result.splits, start=1):
        dates = split.describe()
        parts = [
            f"{p} {dates[f'{p}_start'][:16]} .. {dates[f'{p}_end'][:16]}" for p in ("train", "validation", "holdout")
        ]
        typer.echo(f"fold {number}: {', '.join(parts)} (UTC), embargo {dates['embargo']}")
    typer.echo(f"MAE on the holdout; grid {settings.feature_step}; ensemble_ratio = ensemble / better baseline")
    if result.mean_gain is None:
        typer.echo("no baseline errs anywhere: there is nothing that a model could do better")
    else:
        typer.echo(
            f"the ensemble is {100 * result.mean_gain:.1f} % better than the better baseline in the mean over "
            "targets and horizons"
        )


def _words(text: str) -> list[str]:
    words = list(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))
    if not words:
        raise SettingsError("a comma-separated option is empty", "Write for example ph_level,tds_level")
    return words


def _numbers(text: str) -> list[int]:
    bad = [w for w in _words(text) if not w.isdigit() or not 1 <= int(w) <= 1440]
    if bad:
        raise SettingsError(
            f"--horizons {', '.join(bad)} is not a number of steps from 1 to 1440", "Write for example 1,15,60"
        )
    return sorted(int(w) for w in _words(text))


def _among(text: str, known: tuple[str, ...], option: str) -> list[str]:
    bad = [w for w in _words(text) if w not in known]
    if bad:
        raise SettingsError(f"{option} {', '.join(bad)} is not known", f"Choose among {', '.join(known)}")
    return _words(text)
