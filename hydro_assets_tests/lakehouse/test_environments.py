from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse, environments
from hydro_assets.lakehouse.environments import ENVIRONMENTS, ambient_session, embedded_session, require_fitting
from hydro_assets.settings import Settings


def test_every_environment__opens_a_session_and_says_whether_steps_are_launched() -> None:
    assert {name: row.launched for name, row in ENVIRONMENTS.items()} == {
        "local": False,
        "spark": False,
        "databricks": True,
    }


def test_ambient_session__away_from_databricks_names_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    with pytest.raises(SettingsError, match="HYDRO_ENVIRONMENT=local"):
        ambient_session(settings)


def test_spark_connect_endpoint__by_configuration(settings: Settings, make_settings: Callable[..., Settings]) -> None:
    embedded_session(settings)
    host, port = environments._embedded["server"].listening_address
    endpoint = f"sc://{host}:{port}"
    remote = Lakehouse(make_settings(environment="spark", spark_remote=endpoint))
    assert remote.spark.range(3).count() == 3
    assert remote.spark.conf.get("spark.sql.session.timeZone") == "UTC"


@pytest.mark.parametrize(
    ("server", "client", "fits"),
    [
        pytest.param("4.2.0", "4.2.0", True, id="equal"),
        pytest.param("4.0.1", "4.2.0", True, id="older minor version"),
        pytest.param("4.2.0", "3.5.0", True, id="Databricks Connect 15.4 to a newer server"),
        pytest.param("serverless", "4.2.0", True, id="a server that tells no number"),
        pytest.param("3.5.6", "4.2.0", False, id="older major version"),
    ],
)
def test_require_fitting__refuses_an_older_major_version(server: str, client: str, fits: bool) -> None:
    if fits:
        require_fitting(server, client)
        return
    with pytest.raises(SettingsError, match=r"is version 3\.5\.6, too old .* hydro spark-server"):
        require_fitting(server, client)


@pytest.mark.parametrize("by", ["setting", "variable"])
def test_spark_remote__that_nobody_listens_at_is_told_at_once(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"sc://127.0.0.1:{taken.getsockname()[1]}/;token=hidden"
    for proxy in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    if by == "setting":
        settings = make_settings(environment="spark", spark_remote=endpoint)
    else:
        monkeypatch.setenv("SPARK_REMOTE", endpoint)
        settings = make_settings(environment="databricks")
    with pytest.raises(SettingsError, match="No Spark Connect endpoint answers at 127.0.0.1") as refused:
        _ = Lakehouse(settings).spark
    assert "hidden" not in str(refused.value)
