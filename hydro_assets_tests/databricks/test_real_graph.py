"""The farm's own flow three ways, run here, launched, and as plain jobs: equal tables, equal provenance.

The emulated cluster is an environment with what `cluster_requirements()` names, and Sail for the runtime's Spark. The
launched farm keeps its runs and models on an MLflow server, the others in SQLite files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobSettings, RunResultState
from mlflow import MlflowClient
from mlflow.models import get_model_info
from polars.testing import assert_frame_equal

from hydro_assets.databricks.plain_jobs import CODE_ROOT
from hydro_assets.databricks.requirements import cluster_requirements
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import import_export
from hydro_assets_tests.builders.alike import assert_alike
from hydro_assets_tests.builders.client_environments import serverless_python
from hydro_assets_tests.builders.launched_farm import (
    ACCURACY,
    FEATURES,
    FORECASTS,
    MODELS,
    PREDICTIONS,
    CopyOfFarm,
    farm_export,
    found_farm,
    landed,
    make_copy,
)
from hydro_assets_tests.builders.spark_server import SparkServer
from hydro_assets_tests.databricks.conftest import REPOSITORY, Workspace, cluster_python

pytestmark = [pytest.mark.databricks, pytest.mark.smoke, pytest.mark.timeout(1800)]  # the fixture runs two farms
FOLDER = REPOSITORY / "hydro_assets" / "databricks"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return farm_export(tmp_path_factory.mktemp("export") / "farm.csv")


@pytest.fixture(scope="module")
def cluster(start_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace whose cluster has what a real one would install, and a Spark."""
    return start_workspace(cluster_python([*cluster_requirements(), "pysail", "pyspark[connect]"]), spark=True)


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


@pytest.fixture(scope="module")
def here(export: Path, tmp_path_factory: pytest.TempPathFactory) -> CopyOfFarm:
    """The farm whose steps run in this process."""
    root = tmp_path_factory.mktemp("here")
    found_farm(root, root / "home", f"sqlite:///{root / 'mlflow.db'}")
    return make_copy({"HYDRO_HOME": str(root / "home"), "HYDRO_ENVIRONMENT": "local"}, str(export))


def launched_from(root: Path, workspace: Workspace, tracking: str, spark: str) -> dict[str, str]:
    """Environment of a host whose steps are launched on `workspace`, for a farm founded under `root`."""
    found_farm(root, root / "home", tracking)
    return {
        "HYDRO_HOME": str(root / "home"),
        "HYDRO_ENVIRONMENT": "databricks",
        "HYDRO_STEP_LAUNCHER": '{"poll_seconds": 0.5}',
        "DATABRICKS_HOST": workspace.host,
        "DATABRICKS_TOKEN": "pat",
        "SPARK_REMOTE": spark,
    }


@pytest.fixture(scope="module")
def variables(
    cluster: Workspace, host_spark: str, mlflow_server: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    return launched_from(tmp_path_factory.mktemp("launched"), cluster, mlflow_server, host_spark)


@pytest.fixture(scope="module")
def launched(variables: dict[str, str], export: Path) -> CopyOfFarm:
    return make_copy(variables, landed(export, variables["DATABRICKS_HOST"]))


@pytest.fixture(scope="module")
def launched_on_a_client(
    export: Path, start_workspace: Callable[..., Workspace], jvm: SparkServer, tmp_path_factory: pytest.TempPathFactory
) -> CopyOfFarm:
    """The farm launched on Databricks' client of serverless environment 2, whose Spark is a JVM's."""
    workspace = start_workspace(serverless_python("2", torch=True), SPARK_REMOTE=jvm.remote)
    root = tmp_path_factory.mktemp("client")
    variables = launched_from(root, workspace, f"sqlite:///{root / 'mlflow.db'}", jvm.remote)
    return make_copy(variables, landed(export, workspace.host))


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
def test_launched_import__fills_gold_as_the_one_made_here(
    here: CopyOfFarm, launched: CopyOfFarm, name: str, rows: int
) -> None:
    made_here = here.table(f"gold/{name}")
    assert made_here.height >= rows
    assert_frame_equal(made_here, launched.table(f"gold/{name}"))


@pytest.mark.parametrize(("name", "rows"), [(FEATURES, 500), (FORECASTS, 500), (PREDICTIONS, 500), (ACCURACY, 10)])
def test_launched_table__equals_the_one_made_here(here: CopyOfFarm, launched: CopyOfFarm, name: str, rows: int) -> None:
    made_here = here.table(name)
    assert made_here.height > rows
    assert_frame_equal(made_here, launched.table(name), abs_tol=1e-6)


@pytest.mark.parametrize("name", [FEATURES, PREDICTIONS])
def test_table_of_the_plain_jobs__equals_the_one_of_the_assets(
    here: CopyOfFarm, farm_of_jobs: CopyOfFarm, name: str
) -> None:
    assert_frame_equal(here.table(name), farm_of_jobs.table(name), abs_tol=1e-6)


def test_every_step__ran_as_a_databricks_run(launched: CopyOfFarm, cluster: Workspace) -> None:
    gold = {"gold/iot_data", "gold/dim_time", "gold/dim_equipment"}
    assert set(launched.provenance) == {*gold, FEATURES, *MODELS, FORECASTS, PREDICTIONS, ACCURACY}
    steps = {"add_export", "score_days"} | {name.replace("/", "__") for name in (FEATURES, *MODELS, ACCURACY)}
    assert steps <= {name for name, result in cluster.runs() if result == "SUCCESS"}


def test_launched_assets__have_the_same_provenance(here: CopyOfFarm, launched: CopyOfFarm) -> None:
    def inputs(farm: CopyOfFarm) -> dict[str, list[str]]:
        prefix = "dagster/input_data_version"
        return {asset: sorted(t for t in tags if t.startswith(prefix)) for asset, tags in farm.provenance.items()}

    assert inputs(here) == inputs(launched)
    values = [v for tags in launched.provenance.values() for k, v in tags.items() if "sensor_features" in k]
    assert values
    assert "INITIAL" not in values


@pytest.mark.jvm
@pytest.mark.parametrize("name", ["gold/iot_data", FEATURES])
def test_tables_launched_on_databricks_client__equal_those_made_here_bit_for_bit(
    here: CopyOfFarm, launched_on_a_client: CopyOfFarm, name: str
) -> None:
    assert_frame_equal(here.table(name), launched_on_a_client.table(name), check_exact=True)


@pytest.mark.jvm
@pytest.mark.parametrize("name", [FORECASTS, PREDICTIONS])
def test_forecasts_launched_on_databricks_client__are_those_made_here(
    here: CopyOfFarm, launched_on_a_client: CopyOfFarm, name: str
) -> None:
    assert_alike(here.table(name), launched_on_a_client.table(name))


def test_models_of_launched_steps__are_on_the_server_with_alias_signature_and_artifacts(
    launched: CopyOfFarm, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
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
    launched: CopyOfFarm, farm_of_jobs: CopyOfFarm, variables: dict[str, str]
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(launched.root)}
    done = subprocess.run(
        [sys.executable, "-c", "from hydro_assets.cli import main; main()", "verify", "--environment", "databricks"],
        env={**environment, **variables, "HYDRO_ENVIRONMENT": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The cells of the column "found", which is folded to the width of the table.
    rows = [line.split("│") for line in done.stdout.splitlines() if line.count("│") == 4]
    found = "".join(cells[3].strip() for cells in rows)
    for job in ("hydroponics_ml_training", "hydroponics_ml_inference", "__ASSET_JOB/predictions__prediction_accuracy"):
        assert re.search(rf"{job}.{{0,40}}?SUCCESS, ?started ?20", found), done.stdout
