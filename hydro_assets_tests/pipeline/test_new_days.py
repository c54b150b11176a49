"""An hourly job does what is new and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.pipeline.new_days import ranges_of, unbuilt_days, unscored_days
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.simulator.greenhouse import simulate

DAYS = [date(2026, 3, day) for day in (2, 3, 4, 5)]
NOW = datetime(2026, 3, 6, tzinfo=UTC)
MODELS = ServingModels({}, {})


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    return simulate(1, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC), seed=3)


def test_new_days__are_built_then_scored_once(settings: Settings, lakehouse: Lakehouse, readings: pl.DataFrame) -> None:
    assert unbuilt_days(lakehouse, DAYS[-1]) == unscored_days(lakehouse) == []
    add_readings(lakehouse, readings.filter(pl.col("date") < DAYS[3]))
    assert unbuilt_days(lakehouse, DAYS[-1]) == DAYS[:3]
    build_sensor_features(lakehouse, DAYS[0], DAYS[3])
    assert unbuilt_days(lakehouse, DAYS[-1]) == []
    assert unscored_days(lakehouse) == DAYS[:3]
    score_days(lakehouse, settings, MODELS, DAYS[0], DAYS[3], NOW)
    assert unscored_days(lakehouse) == []

    add_readings(lakehouse, readings.filter(pl.col("date") == DAYS[3]))
    assert unbuilt_days(lakehouse, DAYS[-1]) == [DAYS[3]]
    assert unbuilt_days(lakehouse, DAYS[2]) == []
    build_sensor_features(lakehouse, DAYS[3], DAYS[3] + timedelta(days=1))
    assert unscored_days(lakehouse) == [DAYS[3]]
    score_days(lakehouse, settings, ServingModels({}, {"gru": "7"}), DAYS[3], DAYS[3] + timedelta(days=1), NOW)
    assert unscored_days(lakehouse) == []


def test_ranges__leave_out_a_long_break() -> None:
    days = [date(2000, 1, 1), *(date(2026, 3, day) for day in (1, 2, 20))]
    assert ranges_of(days) == [(date(2000, 1, 1), date(2000, 1, 2)), (date(2026, 3, 1), date(2026, 3, 21))]
    assert ranges_of(days, timedelta(days=1))[1:] == [
        (date(2026, 3, 1), date(2026, 3, 3)),
        (date(2026, 3, 20), date(2026, 3, 21)),
    ]
    assert ranges_of([]) == []
