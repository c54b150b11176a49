"""`batch_predictions`: every feature row forecast by every model, or saying why not."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.facts import column_lineage, definition_facts, table_schema
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import BATCH_PREDICTIONS, HEAVY, SENSOR_FEATURES, model_key
from hydro_assets.defs.partitions import day_range, feature_days
from hydro_assets.settings import Settings
from hydro_assets.tables import ACTUATOR_COLUMNS, MODELS, SENSOR, batch_predictions_table, names, sensor_features_table


def batch_predictions_asset(settings: Settings) -> dg.AssetsDefinition:
    full = batch_predictions_table(sensor_features_table(settings.feature_step, list(SENSOR), ACTUATOR_COLUMNS))

    @dg.asset(
        key=BATCH_PREDICTIONS,
        deps=[SENSOR_FEATURES, *(model_key(settings, kind) for kind in MODELS)],
        partitions_def=feature_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys=HEAVY,
        retry_policy=retry_policy(settings),
        group_name="predictions",
        kinds={"spark", "deltalake", "mlflow"},
        metadata=definition_facts(full, settings.table(full.name)),
        description=full.comment,
        code_version=code_version(__name__),
        pool="batch_predictions",
    )
    def batch_predictions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.scoring import batch_inference
        from hydro_assets.scoring.scoring_job import predictions_table

        start, end = day_range(context)
        lakehouse = context.resources.lakehouse.get()
        with no_retry_on_contract():
            scored = batch_inference(lakehouse, start, end, datetime.now(UTC))
        for day in context.partition_keys:
            facts = {
                "dagster/partition_row_count": scored.rows_by_day.get(day, 0),
                "prediction_quality": dict(scored.quality_by_day.get(day, {})),
            }
            context.add_asset_metadata(facts, partition_key=day)
        context.log.info(f"batch_predictions {start} .. {end}: {scored.rows:,} rows, models {dict(scored.versions)}")
        table = predictions_table(lakehouse.read(names.SENSOR_FEATURES).columns, lakehouse.settings)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": scored.rows,
                "dagster/uri": scored.uri,
                "feature_version": scored.feature_version,
                "model_versions": dict(scored.versions),
                "dagster/column_schema": table_schema(table),
                "dagster/column_lineage": column_lineage(table, {names.SENSOR_FEATURES: SENSOR_FEATURES}),
            }
        )

    return batch_predictions
