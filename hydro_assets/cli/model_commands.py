"""Commands on registered models: `hydro promote`, `hydro rollback`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.cli.home_lock import exclusive

Kind = Annotated[Literal["lstm", "gru", "lightgbm"], typer.Argument(help="which model")]


@app.command()
@exclusive
def promote(
    kind: Kind, version: Annotated[str | None, typer.Option(help="what is judged; default the challenger")] = None
) -> None:
    """Let the challenger compete with the champion on the newest holdout; the better one serves."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.competition import compete

    say(compete(Lakehouse(settings_with()), kind, datetime.now(UTC), version).reason)


@app.command()
@exclusive
def rollback(
    kind: Kind, version: Annotated[str | None, typer.Option(help="what serves; default the champion before")] = None
) -> None:
    """Make the version before the present champion champion again."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.competition import roll_back

    say(roll_back(Lakehouse(settings_with()), kind, datetime.now(UTC), version).reason)
