"""A small farm whose whole graph is run by Dagster, its steps here or launched: what tests compare."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import polars.selectors as cs
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient

from hydro_assets.defs.jobs.import_job import IMPORT_JOB
from hydro_assets.ingest.headers import HEADER_OF
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings, remember
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate
from hydro_assets_tests.builders.spark_server import REPOSITORY

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


def farm_export(path: Path) -> Path:
    """A raw export of three days of one system, written to `path`."""
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    readings = simulate(1, start, end, seed=7, faults=Faults())
    raw = readings.select(pl.col(name).alias(header) for name, header in HEADER_OF.items() if name in readings)
    switches = pl.when(cs.boolean()).then(pl.lit("ON")).otherwise(pl.lit("OFF")).name.keep()
    raw.with_columns(switches).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


def landed(export: Path, host: str) -> str:
    """Path of the export in a volume of the workspace at `host`, uploaded."""
    landing = "/Volumes/hydroponics/landing"
    client = WorkspaceClient(host=host, token="pat")
    client.files.create_directory(landing)
    client.files.upload(f"{landing}/{export.name}", io.BytesIO(export.read_bytes()))
    return f"{landing}/{export.name}"


def make_copy(variables: Mapping[str, str], csv: str) -> CopyOfFarm:
    """The farm of `HYDRO_HOME`, made whole by a Dagster whose environment has `variables`."""
    root = Path(variables["HYDRO_HOME"]).parent
    (root / "dagster").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        instance = dg.DagsterInstance.local_temp(str(root / "dagster"), {"telemetry": {"enabled": False}})
        made = materialize_all(root, instance, csv)
    sys.modules.pop(DEFINITIONS, None)
    return made


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
