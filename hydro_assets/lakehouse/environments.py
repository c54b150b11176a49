"""Where Spark runs: one table, local | spark | databricks. Nothing else in the project branches on the environment."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hydro_assets.errors import SettingsError
from hydro_assets.lakehouse.folders import for_engine
from hydro_assets.lakehouse.jvm_spark import classic_session
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SPARK_CONNECT_PORT = 15002  # Spark's default
_CONNECT_SECONDS = 10

# The server must outlive its sessions (pysail 0.7.2 deadlocks at exit when it is collected first), and a process
# needs only one: hence module state.
_embedded: dict[str, Any] = {}


def embedded_session(settings: Settings) -> SparkSession:
    """A Spark Connect session on an in-process Sail server; one server and one session per process."""
    if "session" not in _embedded:
        # Sail reads its configuration from the environment when the server object is made.
        os.environ.setdefault(
            "SAIL_CATALOG__LIST", f'[{{name="{settings.catalog}", type="memory", initial_database=["gold"]}}]'
        )
        os.environ.setdefault("SAIL_CATALOG__DEFAULT_DATABASE", '["gold"]')
        os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", "604800")  # a training may pause Spark for hours
        # Rows are dealt out to partitions by the hash of their system: with a few more than there are cores, the cores
        # are done at the same time. With one each, one core of two worked alone for a third of a scoring run.
        os.environ.setdefault("SAIL_EXECUTION__DEFAULT_PARALLELISM", str(4 * (os.cpu_count() or 1)))
        os.environ.setdefault("RUST_LOG", "error")
        from pysail.spark import SparkConnectServer
        from pyspark.sql import SparkSession

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        address = server.listening_address
        assert address is not None  # it listens since `start`
        session = SparkSession.builder.remote(f"sc://{address[0]}:{address[1]}").create()
        _embedded.update(server=server, session=_utc(session))
    return _embedded["session"]


def remote_or_classic_session(settings: Settings) -> SparkSession:
    """Any Spark Connect endpoint (`spark_remote`, or Spark's own SPARK_REMOTE), else a JVM session with Delta."""
    if settings.spark_remote or os.environ.get("SPARK_REMOTE"):
        return _connected(settings.spark_remote)

    return _utc(classic_session(settings))


def has_ambient_spark() -> bool:
    """Whether this process runs where Databricks, or SPARK_REMOTE, offers a session."""
    return not {"DATABRICKS_RUNTIME_VERSION", "SPARK_REMOTE"}.isdisjoint(os.environ)


def ambient_session(settings: Settings) -> SparkSession:
    """The session that a Databricks cluster, serverless task or `SPARK_REMOTE` offers."""
    if not has_ambient_spark():
        raise SettingsError(
            "Environment 'databricks' has no Spark session on this machine",
            "Let the step launcher run the step on Databricks, set HYDRO_SQL_WAREHOUSE_ID to read tables or "
            "SPARK_REMOTE to write them too, or use HYDRO_ENVIRONMENT=local",
        )
    return _with_code(_connected(None))


def _connected(endpoint: str | None) -> SparkSession:
    """A session at `endpoint`, or the one that this place offers; SettingsError when none that fits answers."""
    import pyspark
    from pyspark.sql import SparkSession

    endpoint = endpoint or os.environ.get("SPARK_REMOTE", "")
    require_answer(endpoint)
    session = _session_at(endpoint) if endpoint.startswith("sc://") else SparkSession.builder.getOrCreate()
    require_fitting(session.version, pyspark.__version__)
    return _utc(session)


_SESSIONS: dict[str, SparkSession] = {}


def _session_at(endpoint: str) -> SparkSession:
    """The session of this process at `endpoint`: Spark's own getOrCreate gives any session, of whatever endpoint."""
    from pyspark.sql import SparkSession

    found = _SESSIONS.get(endpoint)
    if found is None or found.is_stopped:  # type: ignore[attr-defined]
        found = _SESSIONS[endpoint] = SparkSession.builder.remote(endpoint).create()
    return found


def stop_connected() -> None:
    """Stop the sessions of this process at Spark Connect endpoints, while those still answer."""
    while _SESSIONS:
        _SESSIONS.popitem()[1].stop()


def require_fitting(server: str, client: str) -> None:
    """Raises SettingsError when a Spark server is of an older major version than its client.

    Spark Connect serves older clients, not newer ones.
    """
    majors = [re.match(r"(\d+)\.", version) for version in (server, client)]
    if all(majors) and int(majors[0][1]) < int(majors[1][1]):  # type: ignore[index]
        raise SettingsError(
            f"The Spark that answers is version {server}, too old for the client here (PySpark {client})",
            f"Give the address of a Spark {client.split('.')[0]} server, for example that of hydro spark-server",
        )


def require_answer(endpoint: str) -> None:
    """Raises SettingsError when nothing listens at `sc://host:port/...`: Spark Connect would try for ten minutes.

    Other kinds of endpoints, and those behind a proxy, are left to Spark.
    """
    address = urlsplit(endpoint)
    if (
        address.scheme != "sc"
        or not address.hostname
        or {"grpc_proxy", "https_proxy", "http_proxy"} & os.environ.keys()
    ):
        return
    port = address.port or _SPARK_CONNECT_PORT
    try:
        socket.create_connection((address.hostname, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            f"No Spark Connect endpoint answers at {address.hostname}:{port} ({error})",
            "Start it, or correct SPARK_REMOTE (HYDRO_SPARK_REMOTE)",
        ) from error


def _with_code(session: SparkSession) -> SparkSession:
    """Hand this package to Spark's workers, which import it when a grouped function runs.

    `HYDRO_STEP_CODE` is the archive that a launched step or a job task was started from.
    """
    archive = os.environ.get("HYDRO_STEP_CODE")
    if archive is not None:
        from pyspark.errors import UnsupportedOperationException

        # A Spark whose workers live in this process (Sail) takes no artifacts and needs none.
        with suppress(UnsupportedOperationException):
            session.addArtifacts(archive, pyfile=True)
    return session


def _utc(session: SparkSession) -> SparkSession:
    # Stored timestamps are read in this zone; 'Etc/UTC' (Sail's default) is another type to Delta than 'UTC'.
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@dataclass(frozen=True)
class Environment:
    """One row of the table."""

    session: Callable[[Settings], SparkSession]
    launched: bool  # heavy steps go through the step launcher
    description: str
    folder: Callable[[str], str] = str
    """The name under which its engine finds a local folder."""


ENVIRONMENTS: dict[str, Environment] = {
    "local": Environment(embedded_session, False, "embedded Sail, Delta tables under HYDRO_HOME", for_engine),
    "spark": Environment(remote_or_classic_session, False, "Spark Connect endpoint or JVM Spark with Delta"),
    "databricks": Environment(ambient_session, True, "Databricks jobs through the step launcher, Unity Catalog"),
}
