"""What runs by itself: jobs, schedules, sensors and conditions. All of it is on by default, but for alternatives."""

from collections.abc import Sequence

import dagster as dg

from hydro_assets.defs.checks import all_checks, health_checks
from hydro_assets.defs.jobs.asset_jobs import jobs, schedules
from hydro_assets.defs.jobs.cleaning_job import clean_job, weekly_cleaning
from hydro_assets.defs.jobs.import_job import gold_import_job
from hydro_assets.defs.keys import Group
from hydro_assets.defs.sensors.abandoned_trainings import abandoned_trainings
from hydro_assets.defs.sensors.alerts import check_failure_alert, run_failure_alert
from hydro_assets.defs.sensors.gold_watcher import gold_watcher, reported_gold_sensor
from hydro_assets.defs.sensors.retrain import retrain_sensor
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.settings import Settings


def all_automation(
    settings: Settings,
) -> tuple[Sequence, Sequence[dg.ScheduleDefinition], Sequence[dg.SensorDefinition]]:
    """Jobs, schedules and sensors of a farm with these settings."""
    every_check = [key for check in all_checks(settings) for key in check.check_keys]
    follows = dg.AutomationConditionSensorDefinition(
        "score_when_features_change",
        target=dg.AssetSelection.groups(Group.PREDICTIONS, Group.MONITORING),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=20,
        description="Scores each feature day that was built and passed its check; a retrained model re-scores nothing.",
    )
    sensors = [
        gold_watcher(settings, change_log),
        reported_gold_sensor(settings),
        follows,
        retrain_sensor(settings),
        abandoned_trainings(settings),
        run_failure_alert(settings),
        check_failure_alert(settings, every_check),
    ]
    every_job = [*jobs(settings, health_checks(settings)), gold_import_job(settings), clean_job]
    return every_job, [*schedules(), weekly_cleaning], sensors
