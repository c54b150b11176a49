from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from hydro_assets.defs.jobs.asset_jobs import TRAIN_JOB
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.defs.sensors.retrain import REASON_TAG, last_training, retrain_sensor
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings
from hydro_assets.tables import PREDICTION_ACCURACY

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def accuracy(day: date, mae: float) -> dict:
    row = {"date": day, "system_id": "all", "target": "ph_level", "model": "ensemble", "horizon": 1, "n": 1000}
    row |= {"lead_minutes": 1.0, "is_in_training": False}
    return row | {"mae": mae, "baseline_mae": 0.03}


@pytest.fixture
def judged_days(settings: Settings, lakehouse: Lakehouse) -> Callable[[list[float]], Lakehouse]:
    """A farm whose last days had these MAEs (the newest last), against a baseline of 0.03."""

    def _make(maes: list[float]) -> Lakehouse:
        days = [YESTERDAY - timedelta(days=i) for i in range(len(maes))][::-1]
        lakehouse.append(PREDICTION_ACCURACY, pl.DataFrame([accuracy(d, m) for d, m in zip(days, maes, strict=True)]))
        return lakehouse

    return _make


def tick(settings: Settings, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"lakehouse": LakehouseResource.of(settings)})
    result = retrain_sensor(settings)(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def test_no_truth__no_training(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert tick(settings, instance) == dg.SkipReason("No actual value of a forecast has arrived yet")


def test_bad_days_in_a_row__ask_for_a_training_with_its_reason(settings: Settings, judged_days: Callable) -> None:
    judged_days([0.06] * settings.monitoring.window_days)
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(settings, instance)
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[REASON_TAG] == "accuracy"


def test_good_newest_day__asks_for_nothing(settings: Settings, judged_days: Callable) -> None:
    judged_days([0.06] * (settings.monitoring.window_days - 1) + [0.02])
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(settings, instance), dg.SkipReason)


def test_training_that_failed_today__is_not_asked_for_again(settings: Settings, judged_days: Callable) -> None:
    judged_days([0.06] * settings.monitoring.window_days)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(_training_job(), status=dg.DagsterRunStatus.FAILURE)
        assert last_training(instance) == datetime.now(UTC).date()
        assert isinstance(tick(settings, instance), dg.SkipReason)


def _training_job() -> dg.JobDefinition:
    @dg.op
    def train() -> None: ...

    @dg.job(name=TRAIN_JOB)
    def training() -> None:
        train()

    return training
