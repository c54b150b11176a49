"""Commands that fill Gold: `hydro import`, and the simulated farm of `hydro demo`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.durations import duration_text
from hydro_assets.pipeline.gold import GoldImport, add_readings, import_export
from hydro_assets.quality.gold_findings import finest_step, is_filled
from hydro_assets.settings import Settings
from hydro_assets.tables import names


@app.command("import")
def import_command(
    csv: Annotated[list[Path], typer.Option(help="raw sensor export (13 columns); may be given several times")],
    system: Annotated[str | None, typer.Option(help="system_id of these readings")] = None,
) -> None:
    """Add raw sensor exports to the Gold Delta tables. Importing a file again changes nothing."""
    from hydro_assets.lakehouse import Lakehouse

    settings = settings_with()
    lakehouse = Lakehouse(settings)
    for path in csv:
        done = import_export(lakehouse, path, system, datetime.now(UTC))
        for note in done.notes:
            say(f"note: {note}")
        say(f"{path.name}: {done}")
        if advice := step_advice(done, settings):
            say(f"note: {advice}")
    say("Next: hydro run")


def step_advice(done: GoldImport, settings: Settings) -> str | None:
    """What to set when readings come more slowly than the grid steps."""
    if done.cadence is None or is_filled(settings.feature_step, done.cadence):
        return None
    step = finest_step(done.cadence)
    return (
        f"readings come every {duration_text(done.cadence)} (median), more slowly than the feature step of "
        f"{duration_text(settings.feature_step)}: run with --step {duration_text(step)}, or set "
        f"HYDRO_FEATURE_STEP={duration_text(step)}"
    )


def fill_demo_farm(settings: Settings, systems: int, days: int, today: date) -> str:
    """Simulated Gold of the `days` days before `today`, once; a second call keeps what is there."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.simulator.faults import Faults
    from hydro_assets.simulator.greenhouse import simulate

    lakehouse = Lakehouse(settings)
    if lakehouse.exists(names.IOT_DATA):
        have = lakehouse.days(names.IOT_DATA)
        return f"Gold is there already: {have[0]} to {have[-1]}"
    end = datetime(today.year, today.month, today.day, tzinfo=UTC)
    readings = simulate(
        systems,
        end - timedelta(days=days),
        end,
        settings.seed,
        faults=Faults(),
        timezone=settings.timezone,
        crop=settings.crop,
    )
    return str(add_readings(lakehouse, readings))
