"""Ends what was killed: Dagster runs whose process is gone, MLflow runs of trainings here or on a cluster."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.defs.dead_runs import end_dead_runs
from hydro_assets.registry.tracking import end_abandoned
from hydro_assets.settings import Settings


def abandoned_trainings(settings: Settings) -> dg.SensorDefinition:
    """Looks at RUNNING MLflow runs; what became of their Dagster runs is known here, and not on a cluster."""

    @dg.sensor(
        name="end_abandoned_trainings",
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends Dagster runs whose process is gone, and MLflow runs of such trainings.",
    )
    def end_abandoned_trainings(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        def is_over(run_id: str) -> bool:
            run = context.instance.get_run_by_id(run_id)
            return run is not None and run.is_finished

        dead = end_dead_runs(context.instance)
        closed = end_abandoned(settings, datetime.now(UTC), is_over)
        notes = [f"{len(dead)} runs without a process were ended: {dead}"] if dead else []
        notes += [f"{len(closed)} abandoned trainings were ended: {closed}"] if closed else []
        return dg.SkipReason("; ".join(notes) or "None abandoned")

    return end_abandoned_trainings
