"""Which asset follows which, in one table."""

import dagster as dg

from hydro_assets.assets.batch_predictions import BATCH_PREDICTIONS
from hydro_assets.assets.prediction_accuracy import key_of
from hydro_assets.assets.sensor_features import SENSOR_FEATURES
from hydro_assets.automation.follow import follow_any_day, follow_days, follow_features
from hydro_assets.columns import FEATURE_DRIFT, PREDICTION_ACCURACY, SYSTEM_OUTLOOK


def follow_conditions() -> dict[dg.AssetKey, dg.AutomationCondition]:
    """Predictions follow features; accuracy follows both (late truth included); the outlook follows predictions."""
    return {
        BATCH_PREDICTIONS: follow_features(),
        key_of(PREDICTION_ACCURACY): follow_days(BATCH_PREDICTIONS, SENSOR_FEATURES),
        key_of(FEATURE_DRIFT): follow_features(),
        key_of(SYSTEM_OUTLOOK): follow_any_day(BATCH_PREDICTIONS),
    }
