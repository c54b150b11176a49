"""Keys of the checks that jobs and conditions name."""

import dagster as dg

from hydro_assets.assets.gold import IOT_DATA
from hydro_assets.assets.sensor_features import SENSOR_FEATURES

READINGS_FIT = dg.AssetCheckKey(IOT_DATA, "readings_fit")
FEATURES_FIT = dg.AssetCheckKey(SENSOR_FEATURES, "features_fit")
TRAINING_WINDOW_CLEAN = dg.AssetCheckKey(SENSOR_FEATURES, "training_window_clean")
FEATURES_CURRENT = dg.AssetCheckKey(SENSOR_FEATURES, "features_current")
