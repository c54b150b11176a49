"""Apache Spark (JVM) with Delta on this machine: a session in this process, or a Spark Connect server for others.

Both listen on loopback alone, run Python functions with the caller's interpreter, and cut work into as many parts as
there are cores: Spark's defaults (50 parts of a Delta log, 200 of a shuffle) made a small commit take 10 to 20 seconds.
What the JVM prints goes to `spark.log` under `home`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_JAVA = 17  # the oldest that Spark 4 runs on
_GIB = 2**30
LOOPBACK = "127.0.0.1"


def classic_session(settings: Settings, **options: str) -> SparkSession:
    """A session whose JVM is a child of this process; `options` are further settings of Spark.

    Raises SettingsError when Java or Delta's jars cannot be had.
    """
    from pyspark.errors import PySparkRuntimeError

    require_java()
    builder = classic_builder(settings)
    for name, value in options.items():
        builder = builder.config(name, value)
    # Both are read by the JVM and its workers when they start. Without the first, workers are `python3` of the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
    log = settings.root / "spark.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    seen = log.stat().st_size if log.exists() else 0
    try:
        with _children_print_to(log):
            return builder.getOrCreate()
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        with log.open(errors="replace") as lines:
            lines.seek(seen)
            raise _not_started(lines.read(), log) from error


def classic_builder(settings: Settings) -> Any:
    """Builder of a JVM session with Delta; jars from `delta_jars` or, without it, from a Maven repository."""
    from delta import configure_spark_with_delta_pip
    from pyspark.sql import SparkSession

    cores = str(os.cpu_count() or 1)
    options = {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(settings.root / "spark-warehouse"),
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.memory": f"{_driver_gib()}g",
        "spark.sql.shuffle.partitions": cores,
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local[*]").appName("hydro_assets")
    for name, value in options.items():
        builder = builder.config(name, value)
    if settings.delta_jars:
        return builder.config("spark.jars", ",".join(map(str, delta_jars(settings.delta_jars))))
    return configure_spark_with_delta_pip(builder)


def serve(settings: Settings, port: int) -> SparkSession:
    """Start a Spark Connect server on loopback in a JVM of this process; it lives until the session is stopped.

    Raises SettingsError when the port is taken, and as `classic_session`.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} of {LOOPBACK} cannot be used ({error.strerror})", "Choose another with --port"
            ) from error
    # Without a remote in the environment: this process is the server, not its client.
    for name in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"):
        os.environ.pop(name, None)
    options = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(port),
    }
    return classic_session(settings, **options)


def require_java() -> None:
    """Raise SettingsError when there is no Java that Spark runs on."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(Path(home, "bin", "java")) if home else shutil.which("java")
    remedy = f"Install a JDK {_JAVA} and set JAVA_HOME, or use HYDRO_ENVIRONMENT=local, which needs no Java"
    if java is None:
        raise SettingsError(f"Spark needs Java, and there is none {f'in {home}' if home else 'on the PATH'}", remedy)
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    if found is not None and int(found[1]) < _JAVA:
        raise SettingsError(f"Spark needs Java {_JAVA} or newer, and {java} is Java {found[1]}", remedy)


def delta_jars(listed: str) -> list[Path]:
    """Jar files of a comma-separated list of jars and folders of jars. Raises SettingsError naming those absent."""
    places = [Path(part.strip()).expanduser() for part in listed.split(",") if part.strip()]
    absent = [str(place) for place in places if not place.exists()]
    jars = [jar for place in places for jar in (sorted(place.glob("*.jar")) if place.is_dir() else [place])]
    if absent or not any(jar.name.startswith("delta-spark") for jar in jars):
        what = f"{', '.join(absent)} is not there" if absent else f"no delta-spark jar is in {listed}"
        raise SettingsError(
            f"Delta's jars cannot be loaded: {what}",
            "Set HYDRO_DELTA_JARS to the jars of delta-spark and delta-storage (comma-separated), or to their folder",
        )
    return [jar.resolve() for jar in jars]


def _driver_gib() -> int:
    """A quarter of the machine's memory, at least 1 and at most 4 GiB: Python's workers need the rest."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(4, memory // (4 * _GIB)))


def _not_started(output: str, log: Path) -> SettingsError:
    """The error for a JVM that ended while it started, from what it printed."""
    if "unresolved dependency" in output or "UNRESOLVED DEPENDENCIES" in output:
        return SettingsError(
            "Delta's jars cannot be had: no Maven repository that has them answers from here",
            "Set HYDRO_DELTA_JARS to the jars (comma-separated) or their folder, or use HYDRO_ENVIRONMENT=local",
        )
    lines = [line.strip() for line in output.splitlines() if "Exception" in line or "Error" in line]
    return SettingsError(f"Spark did not start: {lines[0] if lines else 'its JVM ended'}", f"Its output is in {log}")


@contextmanager
def _children_print_to(log: Path) -> Iterator[None]:
    """Processes started meanwhile write their standard output and error into `log`, for as long as they live."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(fd, os.dup(fd)) for fd in (1, 2)]
    try:
        with log.open("ab") as file:
            for fd, _ in kept:
                os.dup2(file.fileno(), fd)
        yield
    finally:
        for fd, copy in kept:
            os.dup2(copy, fd)
            os.close(copy)
