"""One farm on Sail and on a JVM's Spark with Delta: features, predictions and their errors are equal, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest
from polars.testing import assert_frame_equal

from hydro_assets_tests.builders import engine_flow
from hydro_assets_tests.builders.client_environments import serverless_python
from hydro_assets_tests.builders.raw_export import write_export
from hydro_assets_tests.builders.spark_server import (
    DELTA_JARS,
    QUICK_JVM,
    REPOSITORY,
    SparkServer,
    require_jvm,
    spark_server,
)

pytestmark = [pytest.mark.smoke, pytest.mark.jvm]
Flow = Callable[..., Path]
CLOCKS = cs.by_name(
    "ingestion_timestamp", "imported_at", "known_at", "inference_timestamp", "decided_at", require_all=False
)
RUNS = cs.by_name("run_id", require_all=False)
SMALL = {
    "HYDRO_FEATURE_STEP": "5min",
    "HYDRO_MINIMUM_RECORDS": "200",
    "HYDRO_TARGETS": "ph_level",
    "HYDRO_LEAD_TIMES": "1h",
    "HYDRO_RECURRENT__EPOCHS": "1",
    "HYDRO_RECURRENT__MAX_WINDOWS_PER_EPOCH": "64",
    "HYDRO_RECURRENT__HIDDEN_SIZE": "4",
    "HYDRO_LIGHTGBM__NUM_BOOST_ROUND": "5",
}
BUILT = ("gold.iot_data", "gold.dim_time", "feature_store.sensor_features")
TABLES = (*BUILT, "predictions.forecasts", "predictions.batch_predictions", "predictions.prediction_accuracy")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw export of two days of a small farm."""
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 4, 12, tzinfo=UTC)
    return write_export(tmp_path_factory.mktemp("export") / "farm.csv", start, end, timedelta(minutes=5))


@pytest.fixture(scope="module")
def flow(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """Runs the flow with an interpreter and HYDRO_ variables of its own; returns the folder of its dumps."""

    def run(name: str, *rounds: str, python: Path | str = sys.executable, **environment: str) -> Path:
        root = tmp_path_factory.mktemp(name)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("HYDRO_", "SPARK_"))}
        done = subprocess.run(
            [str(python), engine_flow.__file__, str(export), str(root / "dumps"), *rounds],
            capture_output=True,
            text=True,
            check=False,
            env={
                **clean,
                **SMALL,
                **QUICK_JVM,
                "PYTHONPATH": str(REPOSITORY),
                "HYDRO_HOME": str(root / "home"),
                "HYDRO_MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
                **environment,
            },
            cwd=root,
        )
        print(name, done.stdout, sep="\n")  # how long each command took
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
        return root / "dumps"

    return run


@pytest.fixture(scope="module")
def sail(flow: Flow) -> Path:
    require_jvm()  # nothing to compare with otherwise
    return flow("sail", "lightgbm", HYDRO_ENVIRONMENT="local") / "0"


def assert_equal_tables(here: Path, there: Path, forecasts_within: float = 0.0) -> None:
    """Every table of both dumps has the same rows, bit for bit; what models make, within a relative difference."""
    names = {path.stem for path in here.glob("*.parquet")}
    assert names == {path.stem for path in there.glob("*.parquet")}
    assert names >= set(TABLES)
    for name in sorted(names):
        left, right = (_rows(folder / f"{name}.parquet") for folder in (here, there))
        exact = forecasts_within == 0 or name in BUILT
        assert_frame_equal(left, right, check_exact=exact, rel_tol=forecasts_within, abs_tol=forecasts_within)
        assert left.height > 0


def _rows(path: Path) -> pl.DataFrame:
    """Rows in one order, less what differs from run to run: clocks, and MLflow's run ids."""
    frame = pl.read_parquet(path).drop(CLOCKS | RUNS)
    return frame.sort([name for name, kind in frame.schema.items() if not kind.is_float()])


def test_spark_connect__tables_in_folders(sail: Path, flow: Flow, jvm: SparkServer) -> None:
    made = flow("folders", "lightgbm", HYDRO_ENVIRONMENT="spark", HYDRO_SPARK_REMOTE=jvm.remote)
    assert_equal_tables(sail, made / "0")


def in_a_catalog(server: SparkServer) -> dict[str, str]:
    return {"HYDRO_ENVIRONMENT": "databricks", "SPARK_REMOTE": server.remote, "HYDRO_CATALOG": "spark_catalog"}


def test_spark_connect__tables_in_a_catalog(sail: Path, flow: Flow, jvm: SparkServer) -> None:
    assert_equal_tables(sail, flow("catalog", "lightgbm", **in_a_catalog(jvm)) / "0")


def test_classic_session(sail: Path, flow: Flow) -> None:
    made = flow("classic", "lightgbm", HYDRO_ENVIRONMENT="spark", HYDRO_DELTA_JARS=DELTA_JARS)
    assert_equal_tables(sail, made / "0")


@pytest.mark.timeout(1200)  # its environment may have to be made first
def test_databricks_client_of_serverless_environment_5(
    sail: Path, flow: Flow, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = serverless_python("5")
    with spark_server(tmp_path_factory.mktemp("server"), workers=str(python)) as server:
        made = flow("environment_5", "lightgbm", python=python, **in_a_catalog(server))
    # Its numpy 2.1 sums in another order than ours: the last bits of what is trained differ.
    assert_equal_tables(sail, made / "0", forecasts_within=1e-9)
