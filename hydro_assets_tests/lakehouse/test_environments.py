from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse import Lakehouse, environments
from hydro_assets.lakehouse.environments import ENVIRONMENTS, ambient_session, embedded_session
from hydro_assets.settings import Settings

# In a process of its own: classic and Connect sessions do not share one. Without Delta's jars the session still starts,
# which is as far as this machine can test it.
CLASSIC = """
from hydro_assets.lakehouse.environments import remote_or_classic_session
from hydro_assets.settings import load_settings
spark = remote_or_classic_session(load_settings(environment="spark", delta_jars={jars!r}))
print("zone", spark.conf.get("spark.sql.session.timeZone"))
print("extension", spark.conf.get("spark.sql.extensions"))
spark.stop()
"""


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


@pytest.mark.skipif(shutil.which("java") is None, reason="needs a Java runtime")
def test_classic_session__is_configured_for_delta(tmp_path: Path) -> None:
    # An empty archive stands for the jars: the session starts, and the first query would miss the Delta catalog.
    jar = tmp_path / "no-delta.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    code = CLASSIC.format(jars=str(jar))
    # A Connect session in this process has told Spark, by the environment, to stay with Connect.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False, env=environment
    )
    assert "zone UTC" in done.stdout, done.stderr[-2000:]
    assert "extension io.delta.sql.DeltaSparkSessionExtension" in done.stdout


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
