"""`hydro verify`: one table and an exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from hydro_assets.cli.app import app, console, settings_with
from hydro_assets.lakehouse.environments import ENVIRONMENTS
from hydro_assets.pipeline.verify import LastRun
from hydro_assets.settings import Settings


@app.command("verify")
def verify_command(
    environment: Annotated[
        Literal["local", "spark", "databricks"] | None, typer.Option(help="where to look; default as configured")
    ] = None,
) -> None:
    """Report Gold, features, experiments, models, predictions, last runs. Exit code 1 when something is missing."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.verify import verify

    settings = settings_with(environment=environment)
    items = verify(Lakehouse(settings), lambda: last_runs(settings))
    table = Table("", "what", title=f"hydro verify ({settings.environment})", title_justify="left")
    table.add_column("found", overflow="fold")  # a path or an address is copied from here
    for item in items:
        table.add_row(
            "[green]ok[/green]" if item.is_ok else "[red]missing[/red]", escape(item.name), escape(item.detail)
        )
    console().print(table)
    if not all(item.is_ok for item in items):
        raise typer.Exit(1)


def last_runs(settings: Settings) -> list[LastRun]:
    """The newest runs on the workspace where steps are launched there, else the newest Dagster run under HYDRO_HOME."""
    if ENVIRONMENTS[settings.environment].launched:
        from hydro_assets.databricks.last_runs import newest_runs

        return newest_runs(settings)
    return _newest_dagster_run(settings)


def _newest_dagster_run(settings: Settings) -> list[LastRun]:
    from hydro_assets.defs.local_run import dagster_instance

    with dagster_instance(settings) as instance:
        records = instance.get_run_records(limit=1)
    made = []
    for record in records:
        run = record.dagster_run
        job = f"{run.job_name} {run.tags.get('hydro/days', '')}".strip()
        started = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None
        made.append(LastRun(run.run_id[:8], job, run.status.value, run.is_success, started))
    return made
