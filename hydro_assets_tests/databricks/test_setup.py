"""The first day on a workspace: what is missing is told with its command, made where it may be, and then tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service.catalog import SchemaInfo

from hydro_assets.databricks.setup import Item, Site, examine
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets_tests.databricks.conftest import Workspace

pytestmark = pytest.mark.databricks
SCHEMAS = ("gold", "feature_store", "predictions", "models", "dagster")


@pytest.fixture
def client(workspace: Workspace) -> WorkspaceClient:
    return WorkspaceClient(host=workspace.host, token="pat")


@pytest.fixture
def on_databricks(client: WorkspaceClient, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A farm whose catalog is not there yet."""
    name = f"farm_{abs(hash(request.node.name)) % 10**8}"
    return load_settings(home=tmp_path, environment="databricks", catalog=name)


def missing(client: WorkspaceClient, settings: Settings, change: bool = False) -> dict[str, Item]:
    return {item.name: item for item in examine(client, settings, change) if item.state == "missing"}


def test_check__changes_nothing_and_says_what_an_administrator_calls(
    client: WorkspaceClient, on_databricks: Settings
) -> None:
    found = missing(client, on_databricks)
    assert found[f"catalog {on_databricks.catalog}"].command == f"CREATE CATALOG IF NOT EXISTS {on_databricks.catalog};"
    for schema in SCHEMAS:
        full = f"{on_databricks.catalog}.{schema}"
        assert found[f"schema {full}"].command == f"CREATE SCHEMA IF NOT EXISTS {full};"
    volume = f"{on_databricks.catalog}.dagster.steps"
    assert found[f"volume {volume}"].command == f"CREATE VOLUME IF NOT EXISTS {volume};"
    assert "HYDRO_SQL_WAREHOUSE_ID" in found["SQL warehouse"].detail
    with pytest.raises(NotFound):
        client.catalogs.get(on_databricks.catalog)
    assert missing(client, on_databricks) == found


def test_setup__makes_what_is_missing_and_finds_it_the_second_time(
    client: WorkspaceClient, on_databricks: Settings
) -> None:
    made = [item.name for item in examine(client, on_databricks, change=True) if item.state == "made"]
    assert {f"catalog {on_databricks.catalog}", f"volume {on_databricks.catalog}.dagster.steps"} <= set(made)
    assert {f"schema {on_databricks.catalog}.{schema}" for schema in SCHEMAS} <= set(made)
    assert [item.name for item in examine(client, on_databricks, change=True) if item.state == "made"] == []
    left = {name for name in missing(client, on_databricks) if not name.startswith("privileges on")}
    assert left == {"SQL warehouse", f"table {on_databricks.catalog}.gold.iot_data"}


def test_privileges__that_are_lacking_become_one_grant_each(
    client: WorkspaceClient, on_databricks: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(examine(client, on_databricks, change=True))
    me = client.current_user.me().user_name
    features = f"{on_databricks.catalog}.feature_store"
    monkeypatch.setattr(client.schemas, "get", lambda _: SchemaInfo(owner="an administrator"))
    grant = f"GRANT USE SCHEMA, SELECT, MODIFY, CREATE TABLE ON SCHEMA {features} TO `{me}`;"
    assert missing(client, on_databricks)[f"privileges on {features}"].command == grant
    privileges = ["USE_SCHEMA", "SELECT", "MODIFY"]
    client.api_client.do(
        "PATCH",
        f"/api/2.1/unity-catalog/permissions/schema/{features}",
        body={"changes": [{"principal": me, "add": privileges}]},
    )
    assert missing(client, on_databricks)[f"privileges on {features}"].command.startswith(
        "GRANT CREATE TABLE ON SCHEMA"
    )


def test_others_who_may_write_code__are_named_with_the_revoke(client: WorkspaceClient, on_databricks: Settings) -> None:
    list(examine(client, on_databricks, change=True))
    volume = f"{on_databricks.catalog}.dagster.steps"
    client.api_client.do(
        "PATCH",
        f"/api/2.1/unity-catalog/permissions/volume/{volume}",
        body={"changes": [{"principal": "account users", "add": ["WRITE_VOLUME"]}]},
    )
    item = missing(client, on_databricks)["only this principal writes code"]
    assert item.command == f"REVOKE WRITE VOLUME ON VOLUME {volume} FROM `account users`;"


def test_change_data_feed__is_told_with_its_statement(
    client: WorkspaceClient, on_databricks: Settings, monkeypatch: Any
) -> None:
    table = type("Table", (), {"properties": {}})()
    monkeypatch.setattr(client.tables, "get", lambda _: table)
    full = f"{on_databricks.catalog}.gold.iot_data"
    sql = f"ALTER TABLE {full} SET TBLPROPERTIES (delta.enableChangeDataFeed = true);"
    assert missing(client, on_databricks)[f"change data feed of {full}"].command == sql
    table.properties = {"delta.enableChangeDataFeed": "true"}
    assert f"change data feed of {full}" not in missing(client, on_databricks)


def test_warehouse__that_does_not_exist_is_missing(client: WorkspaceClient, on_databricks: Settings) -> None:
    named = on_databricks.model_copy(update={"sql_warehouse_id": "not-there"})
    assert "databricks warehouses list" in missing(client, named)["SQL warehouse not-there"].command


def test_catalog_without_rights__is_a_command_and_no_failure(on_databricks: Settings) -> None:
    def refused(*_: object) -> object:
        raise PermissionDenied("User does not have CREATE CATALOG on Metastore")

    def absent(*_: object) -> object:
        raise NotFound("no such catalog")

    site = Site(None, on_databricks, "me@farm", change=True)  # type: ignore[arg-type]
    item = site.look("catalog farm", absent, refused, "CREATE CATALOG farm;")
    assert (item.state, item.command) == ("missing", "CREATE CATALOG farm;")
    assert "User does not have CREATE CATALOG" in item.detail


def test_other_table_names__ask_for_their_schemas(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(environment="databricks", tables={"sensor_features": "others.ML.wide"})
    schemas = Site(None, settings, "me", change=False).schemas  # type: ignore[arg-type]
    assert "others.ml" in schemas
    assert "hydroponics.feature_store" not in schemas
    assert schemas["hydroponics.gold"] == ["USE SCHEMA", "SELECT"]
