"""The engine that a benchmark runs on: `--engine sail`, or the address of a Spark Connect server."""

from __future__ import annotations

import argparse
import os

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings_sources import load_settings


def add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", default="sail", help="sail, or sc://host:port, such as that of hydro spark-server")


def choose(engine: str) -> str:
    """Put the engine into the settings of this process and its children; what the report calls it."""
    if engine == "sail":
        return "embedded Sail"
    os.environ.update(HYDRO_ENVIRONMENT="spark", HYDRO_SPARK_REMOTE=engine)
    return f"Spark {Lakehouse(load_settings()).spark.version} at {engine}"
