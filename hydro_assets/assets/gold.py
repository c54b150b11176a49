"""Gold: tables that the farm's own pipeline fills; external assets here, so lineage starts where data starts."""

from __future__ import annotations

import dagster as dg

from hydro_assets.assets.facts import definition_facts
from hydro_assets.assets.partitions import feature_days
from hydro_assets.columns import GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME, GOLD_IOT_DATA
from hydro_assets.settings import Settings

IOT_DATA = dg.AssetKey(["gold", "iot_data"])
DIM_TIME = dg.AssetKey(["gold", "dim_time"])
DIM_EQUIPMENT = dg.AssetKey(["gold", "dim_equipment"])
GOLD_TABLES = {"gold.iot_data": IOT_DATA, "gold.dim_time": DIM_TIME, "gold.dim_equipment": DIM_EQUIPMENT}


def gold_assets(settings: Settings) -> list[dg.AssetSpec]:
    """External specs of the three Gold tables."""
    made = []
    for key, table in ((IOT_DATA, GOLD_IOT_DATA), (DIM_TIME, GOLD_DIM_TIME), (DIM_EQUIPMENT, GOLD_DIM_EQUIPMENT)):
        made.append(
            dg.AssetSpec(
                key,
                description=table.comment + "\n\nBuilt outside Dagster by the farm's lakehouse, or by `hydro import`.",
                group_name="gold",
                kinds={"deltalake"},
                metadata=definition_facts(table, settings.table(table.name)),
                partitions_def=feature_days(settings) if key == IOT_DATA else None,
            )
        )
    return made
