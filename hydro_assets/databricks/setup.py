"""What must be true of a workspace before the first run: found, made where it may be, else said with the exact SQL.

Each check is one function from a `Site` to items. A check that only looks changes nothing; `Site.change` lets it make
what is missing. What this principal may not do becomes a command for an administrator, never a failure half-way.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hydro_assets.databricks.settings_environment import steps_volume
from hydro_assets.databricks.step_launcher.staging import own_folder
from hydro_assets.errors import HydroError, TableError
from hydro_assets.lakehouse.sql_warehouse import DatabricksWarehouse
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

GOLD = ["USE SCHEMA", "SELECT"]
TABLES = ["USE SCHEMA", "SELECT", "MODIFY", "CREATE TABLE"]
REGISTRY = ["USE SCHEMA", "CREATE MODEL", "EXECUTE"]
STAGING = ["USE SCHEMA", "READ VOLUME", "WRITE VOLUME"]


@dataclass(frozen=True)
class Item:
    """One thing that must be true. `command`: what an administrator calls where it is missing; `stops`: no step can be
    launched without it."""

    name: str
    state: Literal["ok", "made", "missing"]
    detail: str = ""
    command: str = ""
    stops: bool = True


@dataclass(frozen=True)
class Site:
    """A workspace, the farm that is to run there, and whether missing things may be made."""

    client: WorkspaceClient
    settings: Settings
    me: str
    change: bool

    @property
    def schemas(self) -> dict[str, list[str]]:
        """Schemas by full name, and the privileges that the farm needs on each."""
        needed: dict[str, list[str]] = {}
        for name in names.ALL:
            schema = self.settings.table(name).rpartition(".")[0].lower()
            needed[schema] = GOLD if name.startswith("gold.") and needed.get(schema, GOLD) == GOLD else TABLES
        needed[f"{self.settings.catalog}.models"] = REGISTRY
        needed[self.volume.rpartition(".")[0]] = STAGING
        return needed

    @property
    def volume(self) -> str:
        """Full name of the volume through which steps are staged."""
        return ".".join(steps_volume(self.settings).split("/")[2:5])

    def look(self, name: str, find: Callable[[], object], make: Callable[[], object] | None, command: str) -> Item:
        """Find a thing, else make it where that is wanted and allowed."""
        from databricks.sdk.errors import NotFound
        from databricks.sdk.errors.base import DatabricksError

        try:
            find()
            return Item(name, "ok")
        except NotFound:
            reason = "is not there"
        except DatabricksError as error:
            return Item(name, "missing", f"cannot be looked at: {_line(error)}", command)
        if self.change and make is not None:
            try:
                make()
                return Item(name, "made")
            except DatabricksError as error:
                reason = f"is not there and cannot be made: {_line(error)}"
        return Item(name, "missing", reason, command)


def examine(client: WorkspaceClient, settings: Settings, change: bool) -> Iterator[Item]:
    """Every check, in the order in which things are needed.

    Raises:
        HydroError: the workspace does not answer, or takes no credentials of this host.
    """
    try:
        me = client.current_user.me().user_name or ""
    except (OSError, ValueError) as error:  # the SDK's errors and lost connections; credentials that are not there
        raise HydroError(
            f"The workspace does not tell who asks: {_line(error)}", "Check DATABRICKS_HOST and the credentials"
        ) from error
    site = Site(client, settings, me, change)
    yield Item(f"signed in at {client.config.host}", "ok", me)
    for check in (catalog, schemas, volume, grants, folders, warehouse, change_data_feed):
        yield from check(site)


def catalog(site: Site) -> Iterator[Item]:
    name, api = site.settings.catalog, site.client.catalogs
    yield site.look(
        f"catalog {name}", lambda: api.get(name), lambda: api.create(name), f"CREATE CATALOG IF NOT EXISTS {name};"
    )


def schemas(site: Site) -> Iterator[Item]:
    api = site.client.schemas
    for full in site.schemas:
        parent, _, name = full.partition(".")
        yield site.look(
            f"schema {full}",
            lambda full=full: api.get(full),
            lambda name=name, parent=parent: api.create(name, parent),
            f"CREATE SCHEMA IF NOT EXISTS {full};",
        )


def volume(site: Site) -> Iterator[Item]:
    from databricks.sdk.errors.base import DatabricksError
    from databricks.sdk.service.catalog import VolumeType

    full, api = site.volume, site.client.volumes
    parent, schema, name = full.split(".")
    found = site.look(
        f"volume {full}",
        lambda: api.read(full),
        lambda: api.create(parent, schema, name, VolumeType.MANAGED),
        f"CREATE VOLUME IF NOT EXISTS {full};",
    )
    yield found
    if found.state == "missing" or not site.change:
        return
    path = f"/Volumes/{parent}/{schema}/{name}/setup_check.txt"
    try:
        site.client.files.upload(path, io.BytesIO(b"ok"), overwrite=True)
        site.client.files.delete(path)
        yield Item("smoke write to the volume", "ok", path)
    except DatabricksError as error:
        sql = f"GRANT READ VOLUME, WRITE VOLUME ON VOLUME {full} TO `{site.me}`;"
        yield Item("smoke write to the volume", "missing", _line(error), sql)


def grants(site: Site) -> Iterator[Item]:
    """What this principal may do, and who else may write where a cluster takes its code from."""
    from databricks.sdk.errors.base import DatabricksError

    asked = [("CATALOG", site.settings.catalog, ["USE CATALOG"])]
    asked += [("SCHEMA", schema, privileges) for schema, privileges in site.schemas.items()]
    for kind, full, needed in asked:
        try:
            missing = [p for p in needed if p not in _held(site, kind, full)]
        except DatabricksError as error:
            missing, why = needed, f"cannot be looked at: {_line(error)}"
        else:
            why = f"{site.me} lacks {', '.join(missing)}"
        sql = f"GRANT {', '.join(missing)} ON {kind} {full} TO `{site.me}`;"
        yield Item(f"privileges on {full}", "missing", why, sql) if missing else Item(f"privileges on {full}", "ok")
    try:
        others = _other_writers(site)
    except DatabricksError:  # the volume itself is told of above
        return
    for other in others:
        sql = f"REVOKE WRITE VOLUME ON VOLUME {site.volume} FROM `{other}`;"
        yield Item(
            "only this principal writes code", "missing", f"{other} may write to {site.volume}", sql, stops=False
        )


def _held(site: Site, kind: str, full: str) -> set[str]:
    """Privileges of this principal on a securable, inherited ones included; an owner has all."""
    api = site.client.catalogs if kind == "CATALOG" else site.client.schemas
    everything = {"USE CATALOG", *GOLD, *TABLES, *REGISTRY, *STAGING}
    if api.get(full).owner == site.me:
        return everything
    found = site.client.grants.get_effective(kind, full, principal=site.me)
    held = {
        str(getattr(p.privilege, "value", p.privilege)).replace("_", " ")
        for assignment in found.privilege_assignments or []
        for p in assignment.privileges or []
    }
    return everything if "ALL PRIVILEGES" in held else held


def _other_writers(site: Site) -> list[str]:
    found = site.client.grants.get("VOLUME", site.volume)
    return sorted(
        assignment.principal
        for assignment in found.privilege_assignments or []
        if assignment.principal not in (None, site.me)
        and {str(getattr(p, "value", p)) for p in assignment.privileges or []} & {"WRITE_VOLUME", "ALL_PRIVILEGES"}
    )


def folders(site: Site) -> Iterator[Item]:
    """The folder of the entry script, and those of the experiments."""
    wanted = {site.settings.step_launcher.get("workspace_dir") or own_folder(site.client)}
    if site.settings.tracking_uri.startswith("databricks"):
        wanted |= {RegisteredModel(site.settings, kind).experiment.rpartition("/")[0] for kind in MODELS}
    api = site.client.workspace
    for folder in sorted(wanted):
        yield site.look(
            f"folder {folder}",
            lambda folder=folder: api.get_status(folder),
            lambda folder=folder: api.mkdirs(folder),
            f"databricks workspace mkdirs {folder}",
        )


def warehouse(site: Site) -> Iterator[Item]:
    """The SQL warehouse through which sensors read Gold's history; never made, as it costs."""
    from databricks.sdk.errors.base import DatabricksError

    if wanted := site.settings.sql_warehouse_id:
        yield site.look(
            f"SQL warehouse {wanted}",
            lambda: site.client.warehouses.get(wanted),
            None,
            "set HYDRO_SQL_WAREHOUSE_ID to the id of a warehouse that `databricks warehouses list` shows",
        )
        return
    try:
        known = [f"{w.id} ({w.name})" for w in site.client.warehouses.list()]
    except DatabricksError as error:
        known = [f"none that can be listed: {_line(error)}"]
    choice = ", ".join(known) or "none: databricks warehouses create --name hydro --cluster-size 2X-Small"
    yield Item("SQL warehouse", "missing", "HYDRO_SQL_WAREHOUSE_ID is not set", f"-- choose one: {choice}", stops=False)


def change_data_feed(site: Site) -> Iterator[Item]:
    """Gold's change data feed, which tells the watcher the days of each commit."""
    from databricks.sdk.errors import NotFound
    from databricks.sdk.errors.base import DatabricksError

    full = site.settings.table(names.IOT_DATA)
    name, sql = (
        f"change data feed of {full}",
        f"ALTER TABLE {full} SET TBLPROPERTIES (delta.enableChangeDataFeed = true);",
    )
    try:
        found = site.client.tables.get(full).properties or {}
    except NotFound:
        yield Item(
            f"table {full}",
            "missing",
            "is not there",
            "-- fill Gold by its own pipeline, or by the job import_gold",
            stops=False,
        )
        return
    except DatabricksError as error:
        yield Item(name, "missing", f"cannot be looked at: {_line(error)}", sql)
        return
    if found.get("delta.enableChangeDataFeed") == "true":
        yield Item(name, "ok")
    elif site.change and site.settings.sql_warehouse_id:
        try:
            DatabricksWarehouse(site.client, site.settings.sql_warehouse_id).rows(sql.rstrip(";"))
            yield Item(name, "made")
        except (DatabricksError, TableError) as error:
            yield Item(name, "missing", _line(error), sql)
    else:
        yield Item(name, "missing", "is off: each commit counts as a change of every day", sql, stops=False)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
