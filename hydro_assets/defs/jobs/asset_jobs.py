"""Jobs and schedules: what can be started as a whole, and what starts by the clock.

A job names its checks. Those of `sensor_features` are all in the refresh, because Dagster calls a check that is older
than its asset "not evaluated"; the training gate only warns there.
"""

import dagster as dg

from hydro_assets.defs import keys
from hydro_assets.defs.attempts import REFRESH_JOB
from hydro_assets.defs.jobs.promotion_jobs import promote_job, roll_back_job
from hydro_assets.defs.keys import (
    BATCH_PREDICTIONS,
    FEATURES_CURRENT,
    FEATURES_FIT,
    FORECASTS,
    FORECASTS_FIT,
    PREDICTIONS_FIT,
    READINGS_FIT,
    RECENT_ACCURACY,
    SENSOR_FEATURES,
    SENSOR_FEATURES_ARRIVED,
    TRAINING_WINDOW_CLEAN,
    model_key,
)
from hydro_assets.lakehouse.environments import ENVIRONMENTS
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS

TRAIN_JOB = "train_models"
SCORE_JOB = "score_daily_batch"
WATCH_JOB = "check_health"
FOLLOWING = (keys.PREDICTION_ACCURACY, keys.FEATURE_DRIFT, keys.SYSTEM_OUTLOOK, keys.FARM_REPORT)


def jobs(settings: Settings, health_checks: list[dg.AssetCheckKey]) -> list:
    """The jobs of a farm. `health_checks` are the unpartitioned checks that a schedule repeats."""
    models = dg.AssetSelection.assets(*(model_key(settings, kind) for kind in MODELS))
    # It reads the whole table, which a host asks a SQL warehouse for where steps are launched.
    gate = () if ENVIRONMENTS[settings.environment].launched else (TRAINING_WINDOW_CLEAN,)
    return [
        dg.define_asset_job(
            REFRESH_JOB,
            dg.AssetSelection.assets(SENSOR_FEATURES).without_checks()
            | dg.AssetSelection.checks(READINGS_FIT, FEATURES_FIT, FEATURES_CURRENT, SENSOR_FEATURES_ARRIVED, *gate),
            description="Judge Gold days, build their features, judge the features. A broken day stops its run.",
        ),
        dg.define_asset_job(
            TRAIN_JOB,
            models | dg.AssetSelection.checks(TRAINING_WINDOW_CLEAN),
            description="Judge the training window, then train and register lstm, gru and lightgbm.",
        ),
        dg.define_asset_job(
            SCORE_JOB,
            dg.AssetSelection.assets(FORECASTS, BATCH_PREDICTIONS, *FOLLOWING).without_checks()
            | dg.AssetSelection.checks(FORECASTS_FIT, PREDICTIONS_FIT, RECENT_ACCURACY),
            description="Score feature days with the serving models, judge the predictions, and bring what follows up "
            "to date: a day, or a backfill over all days.",
        ),
        dg.define_asset_job(
            WATCH_JOB,
            dg.AssetSelection.checks(*health_checks),
            description="Repeat the checks that depend on the time of day: arrival, cadence, probes, stale features.",
        ),
        promote_job,
        roll_back_job,
    ]


def schedules() -> list[dg.ScheduleDefinition]:
    """Training weekly, health checks hourly; both running by default."""
    return [
        dg.ScheduleDefinition(
            name="weekly_training",
            job_name=TRAIN_JOB,
            cron_schedule="0 3 * * 1",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Mondays 03:00 UTC: train on all features if their check passes.",
        ),
        dg.ScheduleDefinition(
            name="hourly_health",
            job_name=WATCH_JOB,
            cron_schedule="20 * * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Every hour: did yesterday arrive, are features current, do probes live.",
        ),
    ]
