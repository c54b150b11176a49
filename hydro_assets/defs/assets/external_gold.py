"""Gold: tables that the farm's own pipeline fills; external assets here, so lineage starts where data starts."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from hydro_assets.defs.facts import definition_facts
from hydro_assets.defs.keys import DIM_EQUIPMENT, DIM_TIME, IOT_DATA, Group
from hydro_assets.defs.partitions import feature_days
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings
from hydro_assets.tables import GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME, GOLD_IOT_DATA, names

GOLD_TABLES = {names.IOT_DATA: IOT_DATA, names.DIM_TIME: DIM_TIME, names.DIM_EQUIPMENT: DIM_EQUIPMENT}
DATA_VERSION = "dagster/data_version"


def gold_assets(settings: Settings) -> list[dg.AssetSpec]:
    """External specs of the three Gold tables."""
    made = []
    for key, table in ((IOT_DATA, GOLD_IOT_DATA), (DIM_TIME, GOLD_DIM_TIME), (DIM_EQUIPMENT, GOLD_DIM_EQUIPMENT)):
        made.append(
            dg.AssetSpec(
                key,
                description=table.comment
                + "\n\nBuilt by the farm's lakehouse, by the job `import_gold` or by `hydro import`.",
                group_name=Group.GOLD,
                kinds={"deltalake"},
                metadata=definition_facts(table, settings.table(table.name)),
                partitions_def=feature_days(settings) if key == IOT_DATA else None,
            )
        )
    return made


def data_version(lakehouse: Lakehouse) -> str:
    """What Dagster takes for the version of `gold.iot_data`: table and Delta version."""
    version = lakehouse.version(GOLD_IOT_DATA.name)
    assert version is not None  # the caller has read or written it
    return f"{version.table_id}-{version.version}"


def gold_materializations(lakehouse: Lakehouse) -> Iterator[dg.AssetMaterialization]:
    """Gold as it stands, one event a day of `gold/iot_data`: how Dagster hears of tables that it does not make."""
    for name in (names.DIM_TIME, names.DIM_EQUIPMENT):
        if lakehouse.exists(name):
            rows = lakehouse.read(name).count()
            yield dg.AssetMaterialization(GOLD_TABLES[name], metadata={"dagster/row_count": rows})
    tag = data_version(lakehouse)
    for day, rows in lakehouse.rows_by_day(GOLD_IOT_DATA.name).items():
        yield dg.AssetMaterialization(
            IOT_DATA,
            partition=day.isoformat(),
            metadata={"dagster/partition_row_count": rows, "delta_version": int(tag.rpartition("-")[2])},
            tags={DATA_VERSION: tag, "dagster/data_version_is_user_provided": "true"},
        )
