"""What a Databricks cluster gives a Python task, emulated: /Volumes and /Workspace as files, dbutils, maybe Spark."""

import builtins
import io
import json
import os
import runpy
import sys
import types

VOLUMES = os.path.join(os.environ["MINILAKE_DATA_DIR"], "dbfs")
WORKSPACE_FILES = os.path.join(os.environ["MINILAKE_DATA_DIR"], "workspace")
_open = builtins.open


def open_with_volumes(file, *args, **kwargs):
    path = os.fspath(file) if isinstance(file, (str, os.PathLike)) else ""
    if isinstance(path, str) and path.startswith(("/Volumes/", "/dbfs/")):
        file = VOLUMES + path.removeprefix("/dbfs")
    elif isinstance(path, str) and path.startswith("/Workspace/"):
        file = WORKSPACE_FILES + path
    return _open(file, *args, **kwargs)


class Secrets:
    def get(self, scope, key):
        with _open(os.environ["EMUL_SECRETS"]) as handle:
            return json.load(handle)[f"{scope}/{key}"]


def start_spark():
    """The runtime's own Spark: a Connect server that `SparkSession.builder.getOrCreate()` finds."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    os.environ["SPARK_REMOTE"] = "sc://{}:{}".format(*server.listening_address)
    return server  # must outlive the session: dropped while one is open, the process never ends


if __name__ == "__main__":
    builtins.open = io.open = open_with_volumes
    os.environ["DATABRICKS_RUNTIME_VERSION"] = "emulated"
    script, sys.argv = (
        sys.argv[1],
        [WORKSPACE_FILES + argument if argument.startswith("/Workspace/") else argument for argument in sys.argv[1:]],
    )
    server = start_spark() if os.environ.get("EMUL_SPARK") == "1" else None
    runpy.run_path(script, init_globals={"dbutils": types.SimpleNamespace(secrets=Secrets())}, run_name="__main__")
