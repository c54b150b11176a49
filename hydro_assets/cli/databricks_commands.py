"""`hydro databricks setup`: the first day on a workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from hydro_assets.databricks.setup import Item

databricks = typer.Typer(help="What concerns the Databricks workspace.", no_args_is_help=True)
app.add_typer(databricks, name="databricks")


@databricks.command("setup")
def setup_command(
    check: Annotated[bool, typer.Option("--check", help="look only; nothing is changed")] = False,
) -> None:
    """Create or check what the farm needs on its workspace. Exit code 1 when something is missing.

    Catalog, schemas, volume, privileges, folders, SQL warehouse, change data feed; then, unless --check is given, one
    registered version and one launched step. What this principal may not do is printed as SQL or as a command.
    """

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    settings = settings_with(environment="databricks")
    os.environ["HYDRO_ENVIRONMENT"] = settings.environment  # the launched step reads the settings anew
    try:
        client = WorkspaceClient(config=Config(host=settings.step_launcher.get("host"), retry_timeout_seconds=30))
    except ValueError as error:  # the SDK's; it strikes out the values
        raise SettingsError(
            f"The workspace or its credentials are unknown: {' '.join(str(error).split())[:300]}",
            "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or sign in with `databricks auth login`",
        ) from error
    items: list[Item] = []
    for item in _items(client, settings, check):
        say(f"{item.state}: {item.name}{f' ({item.detail})' if item.detail else ''}")
        items.append(item)
    missing = [item for item in items if item.state == "missing"]
    if not missing:
        say("Nothing is missing")
        return
    say(f"{len(missing)} things are missing; for whoever may do it:")
    for command in dict.fromkeys(item.command for item in missing if item.command):
        typer.echo(command)
    raise typer.Exit(1)


def _items(client: WorkspaceClient, settings: Settings, check: bool) -> Iterator[Item]:
    from hydro_assets.databricks.setup import Item, examine

    found = []
    for item in examine(client, settings, change=not check):
        found.append(item)
        yield item
    if check:
        return
    if any(item.state == "missing" and item.stops for item in found):
        yield Item("launched step", "missing", "not tried while the above is missing")
        return
    from hydro_assets.defs.launch_check import launched

    for went_well, sentence in launched(settings):
        name, _, detail = sentence.partition(": ")
        yield Item(name, "ok" if went_well else "missing", detail)
