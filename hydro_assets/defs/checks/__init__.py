"""Asset checks: thin adapters that show what the contracts say, and stop what must not go on."""

import dagster as dg

from hydro_assets.defs.checks.feature_checks import feature_checks
from hydro_assets.defs.checks.features_current import features_current
from hydro_assets.defs.checks.freshness import freshness_checks
from hydro_assets.defs.checks.gold_checks import gold_checks
from hydro_assets.defs.checks.prediction_checks import prediction_checks
from hydro_assets.defs.keys import FEATURES_FIT, FORECASTS_FIT, PREDICTIONS_FIT, READINGS_FIT, TRAINING_WINDOW_CLEAN
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.settings import Settings


def all_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Every check of a farm with these settings."""
    return [
        *gold_checks(settings),
        *feature_checks(settings),
        features_current(settings, change_log),
        *prediction_checks(settings),
        *freshness_checks(),
    ]


def health_checks(settings: Settings) -> list[dg.AssetCheckKey]:
    """Checks whose answer depends on the time, repeated hourly; the others run in their jobs."""
    own_job = {READINGS_FIT, FEATURES_FIT, TRAINING_WINDOW_CLEAN, FORECASTS_FIT, PREDICTIONS_FIT}
    return [key for check in all_checks(settings) for key in check.check_keys if key not in own_job]
