from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.monitoring.decision import retrain_decision
from hydro_assets.monitoring.evaluation import evaluate_days
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import sensor_features_table
from hydro_assets_tests.builders.stand_ins import DAY, MINUTE, WindowMean, feature_rows

FIRST = DAY.date()


def days(n: int) -> date:
    return FIRST + timedelta(days=n)


def test_model_that_is_off_for_three_days__asks_for_training(
    lakehouse: Lakehouse, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(sequence_length=5, lead_times=())
    assert not retrain_decision(lakehouse, settings, days(2), None).reasons  # nothing is there yet
    minutes = [1440 * day + m for day in range(3) for m in range(100)]
    frame = feature_rows(minutes, [6.0 + 0.01 * (m % 2) for m in minutes])
    lakehouse.replace_days(sensor_features_table(MINUTE, ["ph_level", "tds_level"], []), frame, days(0), days(3))
    score_days(
        lakehouse,
        settings,
        ServingModels({"lstm": WindowMean(0.5, horizons=(1,))}, {"lstm": "1"}),
        days(0),
        days(3),
        DAY,
    )
    evaluate_days(lakehouse, settings, days(0), days(3))
    decision = retrain_decision(lakehouse, settings, days(2), None)
    assert decision.should_retrain
    assert "on 3 of the last 7 days" in decision.text
    assert not retrain_decision(lakehouse, settings, days(2), days(0)).should_retrain
