"""The farm's own flow three ways, run here, launched, and as plain jobs: equal tables, equal provenance.

The emulated cluster is an environment with what `cluster_requirements()` names, and Sail for the runtime's Spark. The
launched farm keeps its runs and models on an MLflow server, the others in SQLite files.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import polars.selectors as cs
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobSettings, RunResultState
from mlflow import MlflowClient
from mlflow.models import get_model_info
from polars.testing import assert_frame_equal

from hydro_assets.databricks.plain_jobs import CODE_ROOT
from hydro_assets.databricks.requirements import cluster_requirements
from hydro_assets.defs.jobs.import_job import IMPORT_JOB
from hydro_assets.ingest.headers import HEADER_OF
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import import_export
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings, remember
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets_tests.databricks.conftest import REPOSITORY, Workspace

pytestmark = [pytest.mark.databricks, pytest.mark.smoke, pytest.mark.timeout(1800)]  # the fixture runs two farms
FOLDER = REPOSITORY / "hydro_assets" / "databricks"
DEFINITIONS = "hydro_assets.definitions"
FIRST, LAST = "2026-03-02", "2026-03-04"
FEATURES = "feature_store/sensor_features"
MODELS = [f"models/hydroponics_{name}" for name in ("lstm_forecast", "gru_forecast", "lightgbm_classifier")]
FORECASTS, PREDICTIONS = "predictions/forecasts", "predictions/batch_predictions"
ACCURACY = "predictions/prediction_accuracy"
KEYS = (
    "date",
    "system_id",
    "timestamp",
    "target",
    "horizon",
    "model",
    "is_in_training",
    "timestamp_key",
    "reading_id",
    "equipment_id",
)
CLOCKS = ("ingestion_timestamp", "known_at", "inference_timestamp")  # when each farm was made
SMALL: dict[str, Any] = {
    "feature_step": "5min",
    "minimum_records": 500,
    "partitions_start": FIRST,
    "recurrent": {"epochs": 1, "max_windows_per_epoch": 128, "hidden_size": 4},
    "lightgbm": {"num_boost_round": 5},
}


@dataclass(frozen=True)
class CopyOfFarm:
    """One copy of the farm: its tables, and the provenance that Dagster recorded of each asset."""

    root: Path
    provenance: dict[str, dict[str, str]]

    def table(self, name: str) -> pl.DataFrame:
        frame = pl.read_delta(str(self.root / "tables" / "hydroponics" / name))
        keys = [key for key in KEYS if key in frame.columns]
        return frame.drop(CLOCKS, strict=False).sort(keys)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw export of a small farm."""
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    readings = simulate(1, start, end, seed=7, faults=Faults())
    raw = readings.select(pl.col(name).alias(header) for name, header in HEADER_OF.items() if name in readings)
    switches = pl.when(cs.boolean()).then(pl.lit("ON")).otherwise(pl.lit("OFF")).name.keep()
    path = tmp_path_factory.mktemp("export") / "farm.csv"
    raw.with_columns(switches).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


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


def materialize_all(root: Path, instance: dg.DagsterInstance, csv: str) -> CopyOfFarm:
    """Gold from a raw export, features, three trainings, predictions and their errors: four runs of the definitions."""
    sys.modules.pop(DEFINITIONS, None)  # it reads the environment when it is imported
    repository = ReconstructableRepository(ModuleCodePointer(DEFINITIONS, "defs", working_directory=str(REPOSITORY)))
    days = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}
    steps: list[dict[str, Any]] = [
        {"job": IMPORT_JOB, "run_config": {"ops": {"add_export": {"config": {"csv": csv}}}}},
        {"assets": [FEATURES], "tags": days},
        {"assets": MODELS},
        {"assets": [FORECASTS, PREDICTIONS, ACCURACY], "tags": days},
    ]
    provenance: dict[str, dict[str, str]] = {}
    for step in steps:
        with dg.execute_job(
            ReconstructableJob(repository, step.get("job", "__ASSET_JOB")),
            instance,
            run_config=step.get("run_config"),
            tags=step.get("tags"),
            asset_selection=[dg.AssetKey(name.split("/")) for name in step.get("assets", [])] or None,
            raise_on_error=False,
        ) as result:
            failures = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
            assert result.success, "\n".join(str(failure) for failure in failures)
            for event in result.all_events:
                if event.is_step_materialization:
                    made = event.step_materialization_data.materialization
                    provenance[made.asset_key.to_user_string()] = dict(made.tags or {})
    return CopyOfFarm(root, provenance)


def found_farm(root: Path, home: Path, tracking: str) -> Settings:
    """Settings of a farm without tables, kept in `home`."""
    MlflowClient(tracking).search_experiments()  # three trainings at once must find the store made
    remember(home, **SMALL, lakehouse_uri=str(root / "tables"), mlflow_tracking_uri=tracking)
    return load_settings(home=home)


@pytest.fixture(scope="module")
def variables(
    export: Path,
    cluster: Workspace,
    host_spark: str,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, str]]:
    """Environment of the host for a farm whose steps run here, and for one whose steps are launched."""
    made = {}
    for name in ("here", "launched"):
        root = tmp_path_factory.mktemp(name)
        found_farm(root, root / "home", mlflow_server if name == "launched" else f"sqlite:///{root / 'mlflow.db'}")
        made[name] = {
            "HYDRO_HOME": str(root / "home"),
            "HYDRO_ENVIRONMENT": "local" if name == "here" else "databricks",
            "HYDRO_STEP_LAUNCHER": '{"poll_seconds": 0.5}',
            "DATABRICKS_HOST": cluster.host,
            "DATABRICKS_TOKEN": "pat",
            "SPARK_REMOTE": host_spark,
        }
    return made


@pytest.fixture(scope="module")
def farms(variables: dict[str, dict[str, str]], export: Path, cluster: Workspace) -> dict[str, CopyOfFarm]:
    landing = "/Volumes/hydroponics/landing"
    client = WorkspaceClient(host=cluster.host, token="pat")
    client.files.create_directory(landing)
    client.files.upload(f"{landing}/{export.name}", io.BytesIO(export.read_bytes()))
    made: dict[str, CopyOfFarm] = {}
    for name, csv in (("here", str(export)), ("launched", f"{landing}/{export.name}")):
        root = Path(variables[name]["HYDRO_HOME"]).parent
        (root / "dagster").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            for key, value in variables[name].items():
                patch.setenv(key, value)
            instance = dg.DagsterInstance.local_temp(str(root / "dagster"), {"telemetry": {"enabled": False}})
            made[name] = materialize_all(root, instance, csv)
    sys.modules.pop(DEFINITIONS, None)
    return made


@pytest.fixture(scope="module")
def farm_of_jobs(export: Path, cluster: Workspace, tmp_path_factory: pytest.TempPathFactory) -> CopyOfFarm:
    """The farm as the two job files make it, created and run through the SDK; Dagster has no part in it."""
    root = tmp_path_factory.mktemp("jobs")
    import_export(Lakehouse(found_farm(root, root, f"sqlite:///{root / 'mlflow.db'}")), export, None, datetime.now(UTC))
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
    return CopyOfFarm(root, {})


@pytest.mark.parametrize(("name", "rows"), [("iot_data", 4000), ("dim_time", 72), ("dim_equipment", 5)])
def test_launched_import__fills_gold_as_the_one_made_here(farms: dict[str, CopyOfFarm], name: str, rows: int) -> None:
    here, launched = farms["here"].table(f"gold/{name}"), farms["launched"].table(f"gold/{name}")
    assert here.height >= rows
    assert_frame_equal(here, launched)


@pytest.mark.parametrize(("name", "rows"), [(FEATURES, 500), (FORECASTS, 500), (PREDICTIONS, 500), (ACCURACY, 10)])
def test_launched_table__equals_the_one_made_here(farms: dict[str, CopyOfFarm], name: str, rows: int) -> None:
    here, launched = farms["here"].table(name), farms["launched"].table(name)
    assert here.height > rows
    assert_frame_equal(here, launched, abs_tol=1e-6)


@pytest.mark.parametrize("name", [FEATURES, PREDICTIONS])
def test_table_of_the_plain_jobs__equals_the_one_of_the_assets(
    farms: dict[str, CopyOfFarm], farm_of_jobs: CopyOfFarm, name: str
) -> None:
    assert_frame_equal(farms["here"].table(name), farm_of_jobs.table(name), abs_tol=1e-6)


def test_every_step__ran_as_a_databricks_run(farms: dict[str, CopyOfFarm], cluster: Workspace) -> None:
    gold = {"gold/iot_data", "gold/dim_time", "gold/dim_equipment"}
    assert set(farms["launched"].provenance) == {*gold, FEATURES, *MODELS, FORECASTS, PREDICTIONS, ACCURACY}
    steps = {"add_export", "score_days"} | {name.replace("/", "__") for name in (FEATURES, *MODELS, ACCURACY)}
    assert steps <= {name for name, result in cluster.runs() if result == "SUCCESS"}


def test_launched_assets__have_the_same_provenance(farms: dict[str, CopyOfFarm]) -> None:
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


def test_models_of_launched_steps__are_on_the_server_with_alias_signature_and_artifacts(
    farms: dict[str, CopyOfFarm], mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    client = MlflowClient(mlflow_server)
    for name in (model.partition("/")[2] for model in MODELS):
        assert client.get_registered_model(name).aliases == {"champion": "1"}
        version = client.get_model_version_by_alias(name, "champion")
        run = client.get_run(version.run_id or "")
        assert run.info.status == "FINISHED"
        assert str(run.info.artifact_uri).startswith("mlflow-artifacts:")
        signature = get_model_info(f"models:/{name}@champion").signature
        assert signature is not None
        assert "ph_level" in signature.inputs.input_names()
        assert "prediction" in signature.outputs.input_names()


def test_verify__finds_everything_of_the_launched_farm(
    farms: dict[str, CopyOfFarm], farm_of_jobs: CopyOfFarm, variables: dict[str, dict[str, str]]
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(farms["launched"].root), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, "-c", "from hydro_assets.cli import main; main()", "verify", "--environment", "databricks"],
        env={**environment, **variables["launched"], "HYDRO_ENVIRONMENT": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = [line for line in done.stdout.splitlines() if "last job run" in line]
    for job in ("hydroponics_ml_training", "hydroponics_ml_inference", "__ASSET_JOB/predictions__prediction_accuracy"):
        (line,) = [line for line in runs if job in line]
        assert "SUCCESS, started " in line
