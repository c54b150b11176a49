"""What `hydro status` advises, by what there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import build_sensor_features
from hydro_assets.pipeline.gold import add_readings
from hydro_assets.pipeline.status import next_step
from hydro_assets.simulator.greenhouse import simulate

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_next_step__goes_from_gold_to_features_to_models(lakehouse: Lakehouse) -> None:
    assert next_step(lakehouse).startswith("hydro import FILE")
    add_readings(lakehouse, simulate(1, START, START + timedelta(hours=30), seed=7))
    assert next_step(lakehouse).startswith("hydro run, because features of 2 days are missing")
    build_sensor_features(lakehouse, START.date(), START.date() + timedelta(days=2))
    assert next_step(lakehouse).startswith("hydro run, because lstm, gru, lightgbm did not learn")
