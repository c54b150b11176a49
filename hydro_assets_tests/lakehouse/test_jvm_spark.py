from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse.jvm_spark import classic_builder, delta_jars, require_java, serve
from hydro_assets.settings import Settings
from hydro_assets_tests.builders.spark_server import DELTA_JARS, QUICK_JVM, SparkServer, require_jvm

# In a process of its own: classic and Connect sessions do not share one.
CLASSIC = """
import json, os, sys
from pathlib import Path
from datetime import UTC, date, datetime, timedelta
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.settings_sources import load_settings
from hydro_assets.simulator.greenhouse import simulate

start = datetime(2026, 3, 2, tzinfo=UTC)
lakehouse = Lakehouse(load_settings(environment="spark", feature_step="5min"))
add_readings(lakehouse, simulate(1, start, start + timedelta(hours=6), seed=7))
built = build_sensor_features(lakehouse, date(2026, 3, 2), date(2026, 3, 3))
spark = lakehouse.spark
with open("/proc/net/tcp") as v4, open("/proc/net/tcp6") as v6:
    listening = {row.split()[9]: row.split()[1].split(":")[0] for row in [*v4, *v6] if row.split()[3] == "0A"}
jvm = spark.sparkContext._gateway.proc.pid
family = [jvm, *Path(f"/proc/{jvm}/task/{jvm}/children").read_text().split()]
held = [os.readlink(f) for p in family for f in Path(f"/proc/{p}/fd").iterdir() if os.path.lexists(f)]
print(json.dumps({
    "rows": built.receipt.rows,
    "python": spark.sparkContext.pythonExec,
    "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
    "listens": sorted({address for inode, address in listening.items() if f"socket:[{inode}]" in held}),
}))
spark.stop()
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.jvm
def test_classic_session__writes_features_quietly_and_on_loopback_alone(tmp_path: Path) -> None:
    require_jvm()
    # A Connect session in this process has told Spark, by the environment, to stay with Connect.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HYDRO_", "SPARK_"))}
    # Not the PATH of an activated environment: workers must be this interpreter all the same.
    clean["PATH"] = os.pathsep.join(
        p for p in clean["PATH"].split(os.pathsep) if Path(sys.executable).parent != Path(p)
    )
    done = subprocess.run(
        [sys.executable, "-c", CLASSIC],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, **QUICK_JVM, "HYDRO_HOME": str(tmp_path), "HYDRO_DELTA_JARS": DELTA_JARS},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    listens = set(told.pop("listens"))
    assert told == {"rows": 72, "python": sys.executable, "partitions": str(os.cpu_count())}
    assert listens
    assert listens <= LOOPBACK
    assert done.stderr == ""
    assert "Spark" in (tmp_path / "spark.log").read_text()


@pytest.mark.jvm
def test_serve__refuses_a_port_that_is_taken(jvm: SparkServer, settings: Settings) -> None:
    port = int(jvm.remote.rpartition(":")[2])
    with pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1 .* --port"):
        serve(settings, port)


@pytest.mark.jvm
def test_jars_that_no_repository_gives__are_one_sentence(tmp_path: Path) -> None:
    require_jvm()
    # A repository that answers nothing, in place of the machine's: Ivy reads its settings from the JVM's options.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    ivy = tmp_path / "ivy.xml"
    ivy.write_text(
        '<ivysettings><settings defaultResolver="nowhere"/><resolvers>'
        f'<ibiblio name="nowhere" m2compatible="true" root="{nowhere}"/></resolvers></ivysettings>'
    )
    (tmp_path / "spark-defaults.conf").write_text(f"spark.jars.ivySettings {ivy}\nspark.jars.ivy {tmp_path / 'ivy'}\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HYDRO_", "SPARK_"))}
    done = subprocess.run(
        [sys.executable, "-c", "from hydro_assets.cli import main; main()", "spark-server", "--port", "1024"],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "HYDRO_HOME": str(tmp_path / "home"), "SPARK_CONF_DIR": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Delta's jars cannot be had")
    assert done.stderr.count("\n") == 1
    assert "HYDRO_DELTA_JARS" in done.stderr


def test_require_java__names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="there is none on the PATH. Install a JDK 17"):
        require_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SettingsError, match=f"there is none in {tmp_path}"):
        require_java()


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        pytest.param('openjdk version "17.0.15" 2025-04-15', None, id="17"),
        pytest.param('openjdk version "21" 2023-09-19', None, id="21"),
        pytest.param('java version "1.8.0_402"', "is Java 8", id="8, in the old notation"),
        pytest.param('openjdk version "11.0.2" 2019-01-15', "is Java 11", id="11"),
    ],
)
def test_require_java__refuses_old_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str, refused: str | None
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if refused is None:
        require_java()
        return
    with pytest.raises(SettingsError, match=refused):
        require_java()


def test_delta_jars__are_found_in_folders_and_lists(tmp_path: Path) -> None:
    jars = [tmp_path / name for name in ("delta-spark_4.2_2.13-4.4.0.jar", "delta-storage-4.4.0.jar")]
    for jar in (*jars, tmp_path / "README.md"):
        jar.touch()
    assert delta_jars(str(tmp_path)) == jars
    assert delta_jars(f"{jars[0]}, {jars[1]}") == jars
    with pytest.raises(SettingsError, match=r"no delta-spark jar is in .*HYDRO_DELTA_JARS"):
        delta_jars(str(jars[1]))
    with pytest.raises(SettingsError, match="nothere.jar is not there"):
        delta_jars(f"{jars[0]},{tmp_path / 'nothere.jar'}")


def test_classic_builder__without_jars_asks_a_repository_for_the_release_that_is_there(
    make_settings: Callable[..., Settings],
) -> None:
    options = classic_builder(make_settings(environment="spark"))._options
    assert options["spark.jars.packages"] == "io.delta:delta-spark_4.2_2.13:4.4.0"  # 4.4.1 has no jar
