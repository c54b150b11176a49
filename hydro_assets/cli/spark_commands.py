"""`hydro spark-server`: Apache Spark for the commands of other terminals, started once."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from hydro_assets.cli.app import app, say, settings_with
from hydro_assets.lakehouse.jvm_spark import LOOPBACK, serve


@app.command("spark-server")
def spark_server(port: Annotated[int, typer.Option(min=1, max=65535, help="port on 127.0.0.1")] = 15002) -> None:
    """Run an Apache Spark Connect server with Delta on this machine until Ctrl-C. Needs Java 17."""

    def end(signal_number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    session = serve(settings_with(), port)
    # The JVM takes Ctrl-C for the end of a query; here it ends the server.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    say(f"Spark {session.version} listens at sc://{LOOPBACK}:{port}. In other terminals:")
    say(f"  export HYDRO_ENVIRONMENT=spark HYDRO_SPARK_REMOTE=sc://{LOOPBACK}:{port}")
    try:
        signal.pause()
    finally:
        session.stop()
