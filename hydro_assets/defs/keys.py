"""Keys of all assets, and of the checks that jobs and conditions name."""

from __future__ import annotations

import dagster as dg

from hydro_assets.settings import Settings
from hydro_assets.tables import names


def of_table(table: str) -> dg.AssetKey:
    """`gold.iot_data` -> `gold/iot_data`."""
    return dg.AssetKey(table.split("."))


IOT_DATA = of_table(names.IOT_DATA)
DIM_TIME = of_table(names.DIM_TIME)
DIM_EQUIPMENT = of_table(names.DIM_EQUIPMENT)
SENSOR_FEATURES = of_table(names.SENSOR_FEATURES)
FORECASTS = of_table(names.FORECASTS)
BATCH_PREDICTIONS = of_table(names.BATCH_PREDICTIONS)
SYSTEM_OUTLOOK = of_table(names.SYSTEM_OUTLOOK)
PREDICTION_ACCURACY = of_table(names.PREDICTION_ACCURACY)
FEATURE_DRIFT = of_table(names.FEATURE_DRIFT)
FARM_REPORT = dg.AssetKey(["predictions", "farm_report"])


def model_key(settings: Settings, kind: str) -> dg.AssetKey:
    """`models/hydroponics_lstm_forecast` and so on: the name in the registry."""
    return dg.AssetKey(["models", getattr(settings.models, kind)])


class Group:
    """Groups of assets. Dagster's pages list them by name: the number keeps the order of the data."""

    GOLD = "1_gold"
    FEATURES = "2_features"
    MODELS = "3_models"
    PREDICTIONS = "4_predictions"
    MONITORING = "5_monitoring"


# What a step needs that may run on a cluster.
HEAVY = {"step_launcher", "lakehouse"}
# Tags of an op whose cluster need not install PyTorch.
WITHOUT_TORCH = {"hydro/torch": "no"}

READINGS_FIT = dg.AssetCheckKey(IOT_DATA, "readings_fit")
FEATURES_FIT = dg.AssetCheckKey(SENSOR_FEATURES, "features_fit")
TRAINING_WINDOW_CLEAN = dg.AssetCheckKey(SENSOR_FEATURES, "training_window_clean")
FEATURES_CURRENT = dg.AssetCheckKey(SENSOR_FEATURES, "features_current")
FORECASTS_FIT = dg.AssetCheckKey(FORECASTS, "forecasts_fit")
PREDICTIONS_FIT = dg.AssetCheckKey(BATCH_PREDICTIONS, "predictions_fit")
SENSOR_FEATURES_ARRIVED = dg.AssetCheckKey(SENSOR_FEATURES, "sensor_features_arrived")
RECENT_ACCURACY = dg.AssetCheckKey(PREDICTION_ACCURACY, "recent_accuracy")
