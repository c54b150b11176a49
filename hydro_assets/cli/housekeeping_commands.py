"""Commands that clean and repair the tables of a farm: `hydro clean`, `hydro repair`."""

from __future__ import annotations

from typing import Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.cli.home_lock import exclusive


@app.command()
@exclusive
def clean(
    versions: Annotated[int, typer.Option(min=1, help="newest versions of each model that stay in any case")] = 10,
    hours: Annotated[
        int, typer.Option(min=0, help="age from which unread files of tables go; under 168 end readers")
    ] = 168,
    days: Annotated[int, typer.Option(min=1, help="age from which runs of health checks leave Dagster's log")] = 30,
) -> None:
    """Remove what nothing reads any more: old files of tables, versions that never served, runs of health checks."""
    from hydro_assets.defs.jobs.cleaning_job import clean_farm
    from hydro_assets.lakehouse import Lakehouse

    for line in clean_farm(Lakehouse(settings_with()), versions, hours, days):
        say(line)


@app.command()
@exclusive
def repair(
    table: Annotated[str, typer.Argument(help="as hydro verify and errors name it, for example gold.iot_data")],
) -> None:
    """Take out of a table what a power cut tore, and say what is lost. What can be made again is removed for that."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.tables import names

    lakehouse = Lakehouse(settings_with())
    if table not in names.ALL:
        raise typer.BadParameter(f"{table} is none of {', '.join(names.ALL)}")
    say(lakehouse.repair(table))
