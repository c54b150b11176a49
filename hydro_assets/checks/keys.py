"""Keys of the checks that jobs and conditions name."""

import dagster as dg

from hydro_assets.assets.batch_predictions import BATCH_PREDICTIONS
from hydro_assets.assets.gold import IOT_DATA
from hydro_assets.assets.prediction_accuracy import key_of
from hydro_assets.assets.sensor_features import SENSOR_FEATURES
from hydro_assets.columns import PREDICTION_ACCURACY

READINGS_FIT = dg.AssetCheckKey(IOT_DATA, "readings_fit")
FEATURES_FIT = dg.AssetCheckKey(SENSOR_FEATURES, "features_fit")
TRAINING_WINDOW_CLEAN = dg.AssetCheckKey(SENSOR_FEATURES, "training_window_clean")
FEATURES_CURRENT = dg.AssetCheckKey(SENSOR_FEATURES, "features_current")
PREDICTIONS_FIT = dg.AssetCheckKey(BATCH_PREDICTIONS, "predictions_fit")
RECENT_ACCURACY = dg.AssetCheckKey(key_of(PREDICTION_ACCURACY), "recent_accuracy")
