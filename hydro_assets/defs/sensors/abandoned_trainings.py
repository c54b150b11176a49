"""Ends the MLflow runs of trainings that were killed, here or on a cluster, without waiting for the next training."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.registry.tracking import end_abandoned
from hydro_assets.settings import Settings


def abandoned_trainings(settings: Settings) -> dg.SensorDefinition:
    """Looks at RUNNING MLflow runs; what became of their Dagster runs is known here, and not on a cluster."""

    @dg.sensor(
        name="end_abandoned_trainings",
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks MLflow runs KILLED whose process is gone or whose Dagster run is over.",
    )
    def end_abandoned_trainings(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        def is_over(run_id: str) -> bool:
            run = context.instance.get_run_by_id(run_id)
            return run is not None and run.is_finished

        closed = end_abandoned(settings, datetime.now(UTC), is_over)
        return dg.SkipReason(f"{len(closed)} abandoned trainings were ended: {closed}" if closed else "None abandoned")

    return end_abandoned_trainings
