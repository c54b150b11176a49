"""`hydro verify`: one table and an exit code."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from hydro_assets.cli.app import app, console, settings_with
from hydro_assets.settings import Settings
from hydro_assets.tasks.verify import LastRun


@app.command("verify")
def verify_command(
    target: Annotated[
        Literal["local", "spark", "databricks"] | None, typer.Option(help="environment to look at")
    ] = None,
) -> None:
    """Report Gold, features, experiments, models, predictions, last run. Exit code 1 when something is missing."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.tasks.verify import verify

    settings = settings_with(environment=target)
    items = verify(Lakehouse(settings), lambda: last_run(settings))
    table = Table("", "what", "found", title=f"hydro verify ({settings.environment})", title_justify="left")
    for item in items:
        table.add_row(
            "[green]ok[/green]" if item.is_ok else "[red]missing[/red]", escape(item.name), escape(item.detail)
        )
    console().print(table)
    if not all(item.is_ok for item in items):
        raise typer.Exit(1)


def last_run(settings: Settings) -> LastRun | None:
    """The newest Dagster run under HYDRO_HOME."""
    from hydro_assets.automation.local_run import dagster_instance

    with dagster_instance(settings) as instance:
        runs = instance.get_runs(limit=1)
    if not runs:
        return None
    days = runs[0].tags.get("hydro/days", "")
    return LastRun(runs[0].run_id[:8], f"{runs[0].job_name} {days}".strip(), runs[0].status.value, runs[0].is_success)
