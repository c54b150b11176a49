"""What was known at T0 is what the system held and predicted at T0, however much came late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.features.point_in_time import feature_rows_of
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.feature_rows import feature_rows
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import forecasts_as_of, score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_IOT_DATA, names
from hydro_assets_tests.builders.gold_rows import gold_rows
from hydro_assets_tests.builders.stand_ins import WindowMean

FIRST, END = date(2024, 3, 1), date(2024, 3, 3)
MODELS = ServingModels({"lstm": WindowMean()}, {"lstm": "1"})


def with_late_data(seed: int) -> pl.DataFrame:
    """Two days of two systems; a tenth of the readings arrives up to 30 h late, some are corrected later."""
    rng = np.random.default_rng(seed)
    start, length = datetime(2024, 3, 1), timedelta(days=1, hours=20)
    parts = [
        gold_rows(seed + i, start, length, timedelta(minutes=2), ((9.0, 11.5),)).with_columns(system_id=pl.lit(name))
        for i, name in enumerate("ab")
    ]
    gold = pl.concat(parts)
    late = pl.Series(
        [timedelta(minutes=int(m)) for m in rng.integers(0, 1800, gold.height) * (rng.random(gold.height) < 0.1)]
    )
    gold = gold.with_columns(pl.col("ingestion_timestamp") + late)
    corrected = gold.sample(50, seed=seed).with_columns(
        pl.col("ph_level") + 0.5, pl.col("ingestion_timestamp") + timedelta(hours=5)
    )
    return pl.concat([gold, corrected])


def filled(make_settings: Callable[..., Settings], folder: str, gold: pl.DataFrame) -> Lakehouse:
    settings = make_settings(sequence_length=5, forecast_horizon=2, lead_times=(), timezone="Europe/Amsterdam")
    lakehouse = Lakehouse(settings.model_copy(update={"home": settings.home / folder}))
    lakehouse.append(GOLD_IOT_DATA, gold)
    build_sensor_features(lakehouse, FIRST - timedelta(days=1), END)
    return lakehouse


@pytest.mark.parametrize("seed", [1, 2])
def test_as_of__equals_bit_for_bit_what_the_system_held_and_predicted_then(
    make_settings: Callable[..., Settings], seed: int
) -> None:
    at = datetime(2024, 3, 2, 7, 13, tzinfo=UTC)
    gold = with_late_data(seed)
    arrived = pl.col("ingestion_timestamp") <= at.replace(tzinfo=None)
    then = filled(make_settings, "then", gold.filter(arrived))
    score_days(then, then.settings, MODELS, FIRST, END, at)
    now = filled(make_settings, "now", gold)

    held = then.read_polars(names.SENSOR_FEATURES).sort("system_id", "timestamp")
    start = FIRST - timedelta(days=1)
    assert feature_rows_of(now, start, END, at).equals(held)
    assert not feature_rows_of(now, start, END).equals(held)  # the late readings did change the past
    with feature_rows(now, at) as (rows, _):  # what training reads
        assert rows.equals(held)
    written = then.read_polars(names.FORECASTS).sort("system_id", "timestamp", "target", "horizon")
    assert forecasts_as_of(now, MODELS, FIRST, END, at).equals(written)
    assert written["ensemble_avg"].null_count() < written.height
