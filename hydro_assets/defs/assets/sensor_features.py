"""`sensor_features`: the table that everything else stands on."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.defs.assets.external_gold import GOLD_TABLES
from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.facts import column_lineage, definition_facts, receipt_facts, section_facts, table_schema
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import DIM_EQUIPMENT, DIM_TIME, HEAVY, IOT_DATA, SENSOR_FEATURES, WITHOUT_TORCH, Group
from hydro_assets.defs.partitions import day_range, feature_days
from hydro_assets.settings import Settings
from hydro_assets.tables import ACTUATOR_COLUMNS, SENSOR, sensor_features_table


def sensor_features_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset; its definition metadata shows the columns of a farm with every sensor and actuator."""
    full = sensor_features_table(settings.feature_step, list(SENSOR), ACTUATOR_COLUMNS)

    @dg.asset(
        key=SENSOR_FEATURES,
        deps=[
            # A day's windows reach 24 hours back, and each of their cells is judged by the day before it.
            dg.AssetDep(IOT_DATA, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2)),
            DIM_TIME,
            DIM_EQUIPMENT,
        ],
        partitions_def=feature_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys=HEAVY,
        op_tags=WITHOUT_TORCH,
        retry_policy=retry_policy(settings),
        group_name=Group.FEATURES,
        kinds={"spark", "deltalake", "polars"},
        metadata=definition_facts(full, settings.table(full.name)),
        description=full.comment,
        code_version=code_version(__name__, shown_by="hydro_assets.pipeline.farm_report"),
        pool="sensor_features",
    )
    def sensor_features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.farm_report import coverage, section
        from hydro_assets.pipeline.features import build_sensor_features

        start, end = day_range(context)
        with no_retry_on_contract():
            build = build_sensor_features(
                context.resources.lakehouse.get(), start, end, {"dagster_run_id": context.run_id}
            )
        for day in context.partition_keys:
            context.add_asset_metadata(
                {"dagster/partition_row_count": build.receipt.rows_by_day.get(day, 0)}, partition_key=day
            )
        context.log.info(
            f"sensor_features {start} .. {end}: {build.receipt.rows:,} rows, {len(build.table.columns)} columns"
        )
        shown = section("Coverage", coverage, context.resources.lakehouse.get(), datetime.now(UTC))
        return dg.MaterializeResult(
            metadata={
                **section_facts(shown),
                **receipt_facts(build.receipt),
                "gold_version": build.gold.version,
                "gold_table_id": build.gold.table_id,
                "missing_in_gold": list(build.notes),
                "dagster/column_lineage": column_lineage(build.table, GOLD_TABLES),
                "columns": table_schema(build.table),
            }
        )

    return sensor_features
