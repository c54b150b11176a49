"""Every table and column once: name, type, unit, meaning, range, sources. Schemas, checks, lineage and docs read it."""

from hydro_assets.tables.column import Column, Table
from hydro_assets.tables.feature_table import (
    KEYS,
    WINDOWS,
    sensor_features_table,
    usable_lags,
    usable_windows,
)
from hydro_assets.tables.gold_tables import (
    EQUIPMENT_ROWS,
    GOLD_DIM_EQUIPMENT,
    GOLD_DIM_TIME,
    GOLD_IMPORTS,
    GOLD_IOT_DATA,
)
from hydro_assets.tables.prediction_tables import (
    FEATURE_DRIFT,
    MODELS,
    PREDICTION_ACCURACY,
    PROMOTION_LOG,
    SYSTEM_OUTLOOK,
    batch_predictions_table,
)
from hydro_assets.tables.sensors import (
    ACTUATOR_COLUMNS,
    ACTUATORS,
    BANDED_SENSORS,
    OPTIMAL_FLAGS,
    PLACEHOLDERS,
    REQUIRED_SENSORS,
    SENSOR,
    SENSORS,
    ZERO_IS_PLACEHOLDER,
)

__all__ = [
    "ACTUATORS",
    "ACTUATOR_COLUMNS",
    "BANDED_SENSORS",
    "EQUIPMENT_ROWS",
    "FEATURE_DRIFT",
    "GOLD_DIM_EQUIPMENT",
    "GOLD_DIM_TIME",
    "GOLD_IMPORTS",
    "GOLD_IOT_DATA",
    "KEYS",
    "MODELS",
    "OPTIMAL_FLAGS",
    "PLACEHOLDERS",
    "PREDICTION_ACCURACY",
    "PROMOTION_LOG",
    "REQUIRED_SENSORS",
    "SENSOR",
    "SENSORS",
    "SYSTEM_OUTLOOK",
    "WINDOWS",
    "ZERO_IS_PLACEHOLDER",
    "Column",
    "Table",
    "batch_predictions_table",
    "sensor_features_table",
    "usable_lags",
    "usable_windows",
]
