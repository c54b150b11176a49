"""Commands that run the whole graph: `hydro run`, `hydro demo`, `hydro status`, `hydro report`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.cli.home_lock import exclusive
from hydro_assets.cli.import_commands import fill_demo_farm
from hydro_assets.cli.progress import progress_bar
from hydro_assets.cli.status_table import print_status
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import remember

Step = Annotated[str | None, typer.Option(help="grid of the features, for example 1min, 5min, 1h")]
Target = Annotated[str | None, typer.Option(help="column to forecast")]
Horizon = Annotated[int | None, typer.Option(help="steps ahead")]


@app.command()
@exclusive
def run(
    step: Step = None,
    target: Target = None,
    horizon: Horizon = None,
    everything: Annotated[bool, typer.Option("--all", help="also what is up to date")] = False,
    rebuild: Annotated[bool, typer.Option(help="make features and all that follows anew, as on another grid")] = False,
) -> None:
    """Bring features, the three models and predictions up to date with Gold. Options are kept in hydro.toml."""
    chosen = {"feature_step": step, "target_col": target, "forecast_horizon": horizon}
    given = {name: value for name, value in chosen.items() if value is not None}
    settings = settings_with(**given)
    if given and rebuild:
        remember(settings.root, **given)  # tables are made for these now, whether or not the run ends well
    run_and_report(settings, everything, rebuild)
    if given:
        say(f"kept in {remember(settings.root, **given)}, where the UI finds them too: {given}")


@app.command()
@exclusive
def demo(
    systems: Annotated[int, typer.Option(min=1, help="simulated systems")] = 3,
    days: Annotated[int, typer.Option(min=2, help="days of readings, ending now")] = 8,
    epochs: Annotated[int | None, typer.Option(min=1, help="most epochs of the LSTM and GRU")] = None,
    windows: Annotated[int, typer.Option(min=1, help="windows an epoch reads, drawn at random")] = 8192,
) -> None:
    """Fill Gold from the simulated greenhouse and materialise everything. A second call re-uses what is there."""
    recurrent = {"max_windows_per_epoch": windows} | ({} if epochs is None else {"epochs": epochs})
    kept = remember(settings_with().root, recurrent=recurrent)
    say(f"The demo keeps its trainings short: recurrent = {recurrent} in {kept}, for the UI too")
    settings = settings_with()
    say(f"Gold: {fill_demo_farm(settings, systems, days, datetime.now(UTC))}")
    run_and_report(settings)


@app.command()
def status() -> None:
    """Rows, errors beside the baselines, and versions of what was materialised."""
    print_status(settings_with())


@app.command()
def report(
    output: Annotated[Path | None, typer.Option(help="where the page goes; default report.html in the home")] = None,
) -> None:
    """Write one page about the farm that opens without a server: health, outlook, errors, drift, versions."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.farm_report import write_report

    settings = settings_with()
    with progress_bar("reading the tables and drawing the page"):
        path = write_report(Lakehouse(settings), datetime.now(UTC), output)
    typer.echo(path.resolve().as_uri())


def run_and_report(settings: Settings, everything: bool = False, rebuild: bool = False) -> None:
    """`hydro run` for these settings."""
    from hydro_assets.defs.run_all import run_pipeline

    started = time.monotonic()
    with progress_bar():
        run_pipeline(settings, say, everything, rebuild)
    say(f"done in {time.monotonic() - started:.0f} s")
    print_status(settings)
