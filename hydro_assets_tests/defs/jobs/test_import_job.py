"""The job `import_gold` in this process; launched it is a part of databricks/test_real_graph.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from polars.testing import assert_frame_equal

from hydro_assets.defs.jobs.import_job import IMPORT_JOB
from hydro_assets.defs.keys import IOT_DATA
from hydro_assets.defs.run_all import report_gold
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.ingest.profile import Profile, profile_path, save_profile
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import import_export
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets_tests.cli.test_import_commands import export

Run = Callable[..., dg.ExecuteInProcessResult]
DAYS = ["2026-03-01", "2026-03-02"]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "farm.csv"
    path.write_text(export(2000))
    return path


@pytest.fixture
def run(settings: Settings) -> Run:
    job = build_definitions(settings).resolve_job_def(IMPORT_JOB)

    def execute(instance: dg.DagsterInstance, csv: Path, **more: str) -> dg.ExecuteInProcessResult:
        config = {"ops": {"add_export": {"config": {"csv": str(csv), **more}}}}
        return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)

    return execute


def test_import__fills_gold_as_the_command_does_and_tells_its_days(
    run: Run, csv: Path, lakehouse: Lakehouse, tmp_path: Path
) -> None:
    by_command = Lakehouse(load_settings(home=tmp_path / "other"))
    import_export(by_command, csv, "north", datetime.now(UTC))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(instance, csv, system="north")
        assert result.success
        assert sorted(instance.get_materialized_partitions(IOT_DATA)) == DAYS
        report_gold(instance, lakehouse)  # what the job told is not told again
        records = instance.fetch_materializations(IOT_DATA, limit=10).records
        assert len(records) == len(DAYS)
    for name in ("gold.iot_data", "gold.dim_time", "gold.dim_equipment"):
        here, there = lakehouse.read_polars(name), by_command.read_polars(name)
        assert here.height > 0
        assert_frame_equal(
            here.drop("ingestion_timestamp", strict=False),
            there.drop("ingestion_timestamp", strict=False),
            check_row_order=False,
        )


def test_import__reads_the_export_as_a_kept_profile_says(run: Run, csv: Path, lakehouse: Lakehouse) -> None:
    csv.write_text(csv.read_text().replace("pH,", "field1,", 1))
    with dg.DagsterInstance.ephemeral() as instance:
        assert not run(instance, csv, profile="tank").success
        save_profile(Profile(map={"pH": "field1"}), profile_path(lakehouse.settings.root, "tank"))
        assert run(instance, csv, profile="tank").success
    assert lakehouse.read_polars("gold.iot_data")["ph_level"].null_count() == 0


def test_import__of_the_same_export_again_changes_nothing(run: Run, csv: Path, lakehouse: Lakehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, csv)
        version = lakehouse.version("gold.iot_data")
        result = run(instance, csv)
    (output,) = [e.event_specific_data for e in result.all_events if e.is_successful_output]
    assert (output.metadata["read"].value, output.metadata["added"].value) == (2000, 0)
    assert lakehouse.version("gold.iot_data") == version


def test_import__of_a_file_that_is_not_there_fails_once_with_the_remedy(run: Run, lakehouse: Lakehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(instance, Path("/Volumes/main/landing/nowhere.csv"))
    assert not result.success
    kinds = [e.event_type_value for e in result.all_events]
    assert ("STEP_FAILURE" in kinds, "STEP_UP_FOR_RETRY" in kinds) == (True, False)
    failure = result.failure_data_for_node("add_export")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert "There is no file /Volumes/main/landing/nowhere.csv" in str(failure.user_failure_data.description)
    assert not lakehouse.exists("gold.iot_data")
