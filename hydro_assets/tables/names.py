"""Names of all tables, without the catalog."""

IOT_DATA = "gold.iot_data"
DIM_TIME = "gold.dim_time"
DIM_EQUIPMENT = "gold.dim_equipment"
IMPORTS = "gold.imports"
SENSOR_FEATURES = "feature_store.sensor_features"
FORECASTS = "predictions.forecasts"
BATCH_PREDICTIONS = "predictions.batch_predictions"
SYSTEM_OUTLOOK = "predictions.system_outlook"
PREDICTION_ACCURACY = "predictions.prediction_accuracy"
FEATURE_DRIFT = "predictions.feature_drift"
PROMOTION_LOG = "predictions.promotion_log"

ALL = tuple(value for name, value in dict(vars()).items() if name.isupper())
