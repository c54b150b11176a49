"""Software-defined assets, in flow order: thin adapters over the inner ring."""

from __future__ import annotations

import dagster as dg

from hydro_assets.defs.assets.external_gold import gold_assets
from hydro_assets.defs.assets.monitoring_tables import monitoring_assets
from hydro_assets.defs.assets.predictions import prediction_assets
from hydro_assets.defs.assets.registered_models import registered_model_assets
from hydro_assets.defs.assets.report_asset import farm_report_asset
from hydro_assets.defs.assets.sensor_features import sensor_features_asset
from hydro_assets.settings import Settings


def all_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Gold to predictions."""
    return [
        *gold_assets(settings),
        sensor_features_asset(settings),
        *registered_model_assets(settings),
        prediction_assets(settings),
        *monitoring_assets(settings),
        farm_report_asset(),
    ]
