"""The farm's own flow three ways, run here, launched, and as plain jobs: equal tables, equal provenance.

The emulated cluster is an environment with what `cluster_requirements()` names, and Sail for the runtime's Spark.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobSettings, RunResultState
from mlflow import MlflowClient
from polars.testing import assert_frame_equal

from hydro_assets.databricks.jobs import CODE_ROOT
from hydro_assets.databricks.requirements import cluster_requirements
from hydro_assets.greenhouse.faults import Faults
from hydro_assets.greenhouse.simulator import simulate
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import load_settings, remember
from hydro_assets.tasks.gold import add_readings
from hydro_assets_tests.databricks.conftest import REPOSITORY, Workspace

pytestmark = [pytest.mark.databricks, pytest.mark.smoke]
FOLDER = REPOSITORY / "hydro_assets" / "databricks"
DEFINITIONS = "hydro_assets.definitions"
FIRST, LAST = "2026-03-02", "2026-03-04"
FEATURES = "feature_store/sensor_features"
MODELS = [f"models/hydroponics_{name}" for name in ("lstm_forecast", "gru_forecast", "lightgbm_classifier")]
PREDICTIONS = "predictions/batch_predictions"
SMALL: dict[str, Any] = {
    "feature_step": "5min",
    "minimum_records": 500,
    "partitions_start": FIRST,
    "recurrent": {"epochs": 1, "max_windows_per_epoch": 128, "hidden_size": 4},
    "lightgbm": {"num_boost_round": 5},
}


@dataclass(frozen=True)
class Farm:
    """One copy of the farm: its tables, and the provenance that Dagster recorded of each asset."""

    root: Path
    provenance: dict[str, dict[str, str]]

    def table(self, name: str) -> pl.DataFrame:
        frame = pl.read_delta(str(self.root / "tables" / "hydroponics" / name))
        keys = [key for key in ("system_id", "timestamp", "horizon") if key in frame.columns]
        return frame.drop("inference_timestamp", strict=False).sort(keys)


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of a small farm that has Gold and nothing else."""
    root = tmp_path_factory.mktemp("gold")
    settings = load_settings(home=root, lakehouse_uri=str(root / "tables"), feature_step="5min")
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    add_readings(Lakehouse(settings), simulate(1, start, end, seed=7, faults=Faults()))
    return root / "tables"


@pytest.fixture(scope="module")
def cluster(start_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace whose cluster has what a real one would install, and a Spark."""
    return start_workspace([*cluster_requirements(), "pysail", "pyspark[connect]"], spark=True)


@pytest.fixture(scope="module")
def host_spark() -> Iterator[str]:
    """Address of the Spark that checks on the host use (SPARK_REMOTE); never the cluster's."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    address = server.listening_address
    assert address is not None
    yield f"sc://{address[0]}:{address[1]}"
    server.stop()


def materialize_all(root: Path, instance: dg.DagsterInstance) -> Farm:
    """Features of all days, three trainings, predictions: three runs of the farm's definitions."""
    sys.modules.pop(DEFINITIONS, None)  # it reads the environment when it is imported
    repository = ReconstructableRepository(ModuleCodePointer(DEFINITIONS, "defs", working_directory=str(REPOSITORY)))
    days = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}
    provenance: dict[str, dict[str, str]] = {}
    for assets, tags in (([FEATURES], days), (MODELS, {}), ([PREDICTIONS], days)):
        with dg.execute_job(
            ReconstructableJob(repository, "__ASSET_JOB"),
            instance,
            tags=tags,
            asset_selection=[dg.AssetKey(name.split("/")) for name in assets],
            raise_on_error=False,
        ) as result:
            failures = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
            assert result.success, "\n".join(str(failure) for failure in failures)
            for event in result.all_events:
                if event.is_step_materialization:
                    made = event.step_materialization_data.materialization
                    provenance[made.asset_key.to_user_string()] = dict(made.tags or {})
    return Farm(root, provenance)


def found_farm(root: Path, gold: Path, home: Path) -> None:
    """A farm with Gold, an MLflow store, and settings in `home` that name both."""
    shutil.copytree(gold, root / "tables")
    tracking = f"sqlite:///{root / 'mlflow.db'}"
    MlflowClient(tracking).search_experiments()  # three trainings at once must find the store made
    remember(home, **SMALL, lakehouse_uri=str(root / "tables"), mlflow_tracking_uri=tracking)


@pytest.fixture(scope="module")
def farms(gold: Path, cluster: Workspace, host_spark: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Farm]:
    made: dict[str, Farm] = {}
    for name in ("here", "launched"):
        root = tmp_path_factory.mktemp(name)
        found_farm(root, gold, root / "home")
        (root / "dagster").mkdir()
        variables: dict[str, Any] = {
            "HYDRO_HOME": root / "home",
            "HYDRO_ENVIRONMENT": "local" if name == "here" else "databricks",
            "HYDRO_STEP_LAUNCHER": '{"poll_seconds": 0.5}',
            "DATABRICKS_HOST": cluster.host,
            "DATABRICKS_TOKEN": "pat",
            "SPARK_REMOTE": host_spark,
        }
        with pytest.MonkeyPatch.context() as patch:
            for key, value in variables.items():
                patch.setenv(key, str(value))
            instance = dg.DagsterInstance.local_temp(str(root / "dagster"), {"telemetry": {"enabled": False}})
            made[name] = materialize_all(root, instance)
    sys.modules.pop(DEFINITIONS, None)
    return made


@pytest.fixture(scope="module")
def farm_of_jobs(gold: Path, cluster: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Farm:
    """The farm as the two job files make it, created and run through the SDK; Dagster has no part in it."""
    root = tmp_path_factory.mktemp("jobs")
    found_farm(root, gold, root)
    files = {path.relative_to(REPOSITORY).as_posix(): path for path in (REPOSITORY / "hydro_assets").rglob("*.py")}
    for name, path in {**files, "hydro.toml": root / "hydro.toml"}.items():
        target = cluster.data / "workspace" / CODE_ROOT.lstrip("/") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    client = WorkspaceClient(host=cluster.host, token="pat")
    for name in ("ml_training", "ml_inference"):
        settings = JobSettings.from_dict(json.loads((FOLDER / f"{name}.json").read_text()))
        job = client.jobs.create(name=settings.name, tasks=settings.tasks, environments=settings.environments)
        assert job.job_id is not None
        run = client.jobs.run_now(job.job_id).result(timeout=timedelta(minutes=8))
        output = client.jobs.get_run_output(run.run_id or 0).logs
        assert run.state is not None
        assert run.state.result_state == RunResultState.SUCCESS, output
        assert {task.state.result_state for task in run.tasks or [] if task.state} == {RunResultState.SUCCESS}
    return Farm(root, {})


@pytest.mark.parametrize("name", ["feature_store/sensor_features", "predictions/batch_predictions"])
def test_launched_table__equals_the_one_made_here(farms: dict[str, Farm], name: str) -> None:
    here, launched = farms["here"].table(name), farms["launched"].table(name)
    assert here.height > 500
    assert_frame_equal(here, launched, abs_tol=1e-6)


@pytest.mark.parametrize("name", ["feature_store/sensor_features", "predictions/batch_predictions"])
def test_table_of_the_plain_jobs__equals_the_one_of_the_assets(
    farms: dict[str, Farm], farm_of_jobs: Farm, name: str
) -> None:
    assert_frame_equal(farms["here"].table(name), farm_of_jobs.table(name), abs_tol=1e-6)


def test_every_step__ran_as_a_databricks_run(farms: dict[str, Farm], cluster: Workspace) -> None:
    assert len(farms["launched"].provenance) == 5
    steps = {name.replace("/", "__") for name in (FEATURES, *MODELS, PREDICTIONS)}
    assert steps <= {name for name, result in cluster.runs() if result == "SUCCESS"}


def test_launched_assets__have_the_same_provenance(farms: dict[str, Farm]) -> None:
    here, launched = (
        {
            asset: sorted(tag for tag in tags if tag.startswith("dagster/input_data_version"))
            for asset, tags in farms[name].provenance.items()
        }
        for name in ("here", "launched")
    )
    assert here == launched
    values = [v for tags in farms["launched"].provenance.values() for k, v in tags.items() if "sensor_features" in k]
    assert values
    assert "INITIAL" not in values
