"""What nothing reads goes, what served stays; temporary files end with their process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from hydro_assets.cli.scratch import own_scratch
from hydro_assets.defs.jobs.asset_jobs import TRAIN_JOB, WATCH_JOB
from hydro_assets.defs.jobs.cleaning_job import trim_runs
from hydro_assets.defs.local_run import dagster_instance
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import roll_back
from hydro_assets.pipeline.features import build_sensor_features, feature_span
from hydro_assets.pipeline.housekeeping import remove_versions, vacuum
from hydro_assets.pipeline.training import train_model
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets.tables import names

MakeSettings = Callable[..., Settings]
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_versions__that_never_served_go_with_their_files__and_all_others_stay(small_farm: MakeSettings) -> None:
    lakehouse = Lakehouse(small_farm())
    build_sensor_features(lakehouse, *feature_span(lakehouse))
    for hour in range(6):  # of 1 to 6, 3 and 6 lose
        train_model(lakehouse, "gru", NOW + timedelta(hours=hour))
    roll_back(lakehouse, "gru", NOW + timedelta(days=1), "1")
    artifacts = lakehouse.settings.root / "mlflow" / "artifacts" / "hydroponics_gru"
    before = len(list(artifacts.iterdir()))
    model = RegisteredModel(lakehouse.settings, "gru")
    assert remove_versions(lakehouse, kept=3) == [f"{model.name} 3"]
    assert model.versions() == ["6", "5", "4", "2", "1"]
    assert len(list(artifacts.iterdir())) == before - 1
    assert all(model.load(version) for version in model.versions())
    assert remove_versions(lakehouse, kept=3) == []


def test_vacuum__removes_what_no_version_in_time_reads_and_changes_no_row(small_farm: MakeSettings) -> None:
    lakehouse = Lakehouse(small_farm())
    for _ in range(3):
        build_sensor_features(lakehouse, *feature_span(lakehouse))
    folder = Path(lakehouse.uri(names.SENSOR_FEATURES))
    files, rows = len(list(folder.rglob("*.parquet"))), lakehouse.read_polars(names.SENSOR_FEATURES)
    assert vacuum(lakehouse) == {}, "what was read a moment ago stays"
    assert vacuum(lakehouse, 0)[names.SENSOR_FEATURES] == files * 2 // 3
    assert lakehouse.read_polars(names.SENSOR_FEATURES).equals(rows)


def test_runs__of_health_checks_go_after_their_time__those_of_assets_stay(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        for job in (WATCH_JOB, TRAIN_JOB):
            create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.SUCCESS)
        assert trim_runs(instance, days=1) == 0
        assert trim_runs(instance, days=-1) == 1
        assert [run.job_name for run in instance.get_runs()] == [TRAIN_JOB]


def test_temporary_files__of_a_killed_process_are_removed_by_the_next_and_those_of_a_living_one_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, tempfile, time\n"
        "from hydro_assets.cli.scratch import own_scratch\n"
        "with own_scratch() as own:\n"
        "    print(own, tempfile.mkdtemp(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env) for _ in range(2)]
    said = [p.stdout.readline().decode().split() for p in started if p.stdout]
    killed, living = (Path(own) for own, _ in said)
    assert all(Path(within).parent == Path(own) for own, within in said)
    started[0].send_signal(signal.SIGKILL)
    started[0].wait()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        with own_scratch() as own:
            assert {*tmp_path.iterdir()} == {own, living}
            assert not killed.exists()
        assert {*tmp_path.iterdir()} == {living}
    finally:
        started[1].kill()
        started[1].wait()
