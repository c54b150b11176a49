"""Asks for a training when accuracy or drift give a reason, named in the run; never in a loop, never on bad data."""

from datetime import UTC, date, datetime

import dagster as dg

from hydro_assets.defs.attempts import TRIGGER_TAG
from hydro_assets.defs.jobs.asset_jobs import TRAIN_JOB
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.settings import Settings
from hydro_assets.tables import names

RETRAIN = "retrain_when_needed"
REASON_TAG = "hydro/reason"


def retrain_sensor(settings: Settings) -> dg.SensorDefinition:
    """Judges the newest day whose truth is known, once per day and training."""

    @dg.sensor(
        name=RETRAIN,
        job_name=TRAIN_JOB,
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Trains when the ensemble lost to the baseline, or features left the training data, on N of the "
        "last M days and the newest; not before N new days after the last attempt, and not on a day of bad data.",
    )
    def retrain(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.RunRequest | dg.SkipReason:
        from hydro_assets.monitoring.decision import retrain_decision

        house = lakehouse.get()
        if not house.exists(names.PREDICTION_ACCURACY):
            return dg.SkipReason("No actual value of a forecast has arrived yet")
        today = datetime.now(UTC).date()
        days = [d for d in house.days(names.PREDICTION_ACCURACY) if d < today]
        if not days:
            return dg.SkipReason("No complete day of forecasts can be compared yet: the actual values have not arrived")
        last = last_training(context.instance)
        decision = retrain_decision(house, settings, days[-1], last)
        if not decision.should_retrain:
            return dg.SkipReason(decision.text)
        kinds = sorted({reason.split(":")[0] for reason in decision.reasons})
        context.log.info(decision.text)
        return dg.RunRequest(
            run_key=f"{days[-1]}-after-{last}", tags={TRIGGER_TAG: RETRAIN, REASON_TAG: "-".join(kinds)}
        )

    return retrain


def last_training(instance: dg.DagsterInstance) -> date | None:
    """Day of the last training that was started, however it ended: a failed one must not be repeated for ever."""
    records = instance.get_run_records(dg.RunsFilter(job_name=TRAIN_JOB), limit=1)
    return records[0].create_timestamp.date() if records else None
