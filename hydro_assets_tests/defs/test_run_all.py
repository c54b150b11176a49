"""`hydro run` leaves a broken day out and builds the others."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from hydro_assets.defs.attempts import REFRESH_JOB
from hydro_assets.defs.local_run import CheckStoppedRunError, dagster_instance
from hydro_assets.defs.run_all import refresh
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.settings import Settings
from hydro_assets.simulator.greenhouse import simulate

DAYS = (date(2026, 3, 2), date(2026, 3, 5))
BROKEN = date(2026, 3, 3)


def fill(lakehouse: Lakehouse, broken: pl.Expr) -> None:
    start, end = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    readings = simulate(1, start, end, seed=3)
    in_other_unit = pl.when(broken).then(pl.col("ph_level") * 100).otherwise("ph_level").alias("ph_level")
    add_readings(lakehouse, readings.with_columns(in_other_unit))


def test_refresh__leaves_a_broken_day_out_and_builds_the_others(settings: Settings, lakehouse: Lakehouse) -> None:
    fill(lakehouse, pl.col("date") == BROKEN)
    job = build_definitions(settings).resolve_job_def(REFRESH_JOB)
    with dagster_instance(settings) as instance:
        broken = refresh(job, instance, [DAYS], {})
    assert list(broken) == [BROKEN]
    assert "another unit" in broken[BROKEN]
    assert lakehouse.days("feature_store.sensor_features") == [date(2026, 3, 2), date(2026, 3, 4)]


def test_refresh__of_nothing_but_broken_days_is_an_error(settings: Settings, lakehouse: Lakehouse) -> None:
    fill(lakehouse, pl.lit(True))
    job = build_definitions(settings).resolve_job_def(REFRESH_JOB)
    with dagster_instance(settings) as instance, pytest.raises(CheckStoppedRunError, match="No day can be built"):
        refresh(job, instance, [DAYS], {})
    assert not lakehouse.exists("feature_store.sensor_features")
