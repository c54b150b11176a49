"""`hydro predict`: what the newest reading says of the hours to come."""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from hydro_assets.cli.app import app, console, require_file, say, settings_with
from hydro_assets.durations import duration_text, parse_duration
from hydro_assets.errors import SettingsError
from hydro_assets.tables import MODELS

if TYPE_CHECKING:
    import polars as pl

    from hydro_assets.settings import Settings


@app.command()
def predict(
    system: Annotated[str | None, typer.Option(help="one system; default all that were read lately")] = None,
    target: Annotated[str | None, typer.Option(help="one sensor or label, such as ph_level; default all")] = None,
    lead_time: Annotated[str | None, typer.Option(help="one of the lead times, for example 1h; default all")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="export to forecast from instead of Gold; - is standard input", allow_dash=True),
    ] = None,
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="table or json")] = "table",
) -> None:
    """Forecast from the newest reading of each system, with the models that serve. Writes nothing."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline import newest
    from hydro_assets.pipeline.scoring import serving_models

    lead = None if lead_time is None else _duration(lead_time)
    lakehouse = Lakehouse(settings := settings_with())
    now = datetime.now(UTC)
    readings = None if csv is None else _readings(csv, system, settings, now)
    models = serving_models(settings)
    if readings is None:
        forecasts = newest.newest_forecasts(lakehouse, models, now, system)
    else:
        spec = newest.farm_or_file_spec(lakehouse, readings)
        forecasts = newest.forecast_readings(readings, spec, models, settings, now)
    forecasts = newest.chosen(forecasts, settings, target, lead)
    if form == "json":
        typer.echo(json.dumps(forecasts.drop("date").to_dicts(), indent=1, default=datetime.isoformat))
    else:
        _print(forecasts, settings)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"--lead-time: {error}", "Give one duration") from error


def _readings(path: Path, system: str | None, settings: Settings, now: datetime) -> pl.DataFrame:
    """Rows of Gold of an export, read as `hydro import` would."""
    from hydro_assets.ingest.export import read_export

    with tempfile.TemporaryDirectory() as folder:
        if str(path) == "-":
            path = Path(folder, "standard_input.csv")
            path.write_bytes(sys.stdin.buffer.read())
        require_file(path)
        export = read_export(path, system, now, settings)
    for note in export.notes:
        say(f"note: {note}")
    return export.frame


def _print(forecasts: pl.DataFrame, settings: Settings) -> None:
    """A table per system, a line per target and lead time."""
    for (system, at), rows in forecasts.group_by(["system_id", "timestamp"], maintain_order=True):
        versions = ", ".join(f"{m} {v}" for m in MODELS if (v := rows[f"{m}_version"][0]) is not None)
        title = f"{system}: forecasts from the step {at:%Y-%m-%d %H:%M:%S} UTC ({versions or 'no model serves'})"
        table = Table(title=title, title_justify="left")
        for heading in ("target", "ahead", "forecast", "80 %", "95 %", "baseline", "quality"):
            table.add_column(heading, no_wrap=True)
        for row in rows.iter_rows(named=True):
            table.add_row(
                row["target"],
                duration_text(row["horizon"] * settings.feature_step),
                _number(row["ensemble_avg"]),
                *(_span(row[f"lower_{share}"], row[f"upper_{share}"]) for share in (80, 95)),
                _number(row["baseline_prediction"]),
                row["prediction_quality"],
            )
        console().print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None else f"{_number(low)} to {_number(high)}"
