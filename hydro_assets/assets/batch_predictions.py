"""`batch_predictions`: every feature row forecast by every model, or saying why not."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.assets.facts import column_lineage, definition_facts, table_schema
from hydro_assets.assets.partitions import day_range, feature_days
from hydro_assets.assets.registered_models import model_key
from hydro_assets.assets.sensor_features import HEAVY, RETRY, SENSOR_FEATURES
from hydro_assets.columns import ACTUATOR_COLUMNS, MODELS, SENSOR, batch_predictions_table, sensor_features_table
from hydro_assets.settings import Settings

BATCH_PREDICTIONS = dg.AssetKey(["predictions", "batch_predictions"])


def batch_predictions_asset(settings: Settings) -> dg.AssetsDefinition:
    full = batch_predictions_table(sensor_features_table(settings.feature_step, list(SENSOR), ACTUATOR_COLUMNS))

    @dg.asset(
        key=BATCH_PREDICTIONS,
        deps=[SENSOR_FEATURES, *(model_key(settings, kind) for kind in MODELS)],
        partitions_def=feature_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys=HEAVY,
        retry_policy=RETRY,
        group_name="predictions",
        kinds={"spark", "deltalake", "mlflow"},
        metadata=definition_facts(full, settings.table(full.name)),
        description=full.comment,
        code_version="1",
        pool="batch_predictions",
    )
    def batch_predictions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.assets.outcome import no_retry_on_contract
        from hydro_assets.inference.plan import predictions_table
        from hydro_assets.tasks.scoring import batch_inference

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
        table = predictions_table(lakehouse.read("feature_store.sensor_features").columns, lakehouse.settings)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": scored.rows,
                "dagster/uri": scored.uri,
                "feature_version": scored.feature_version,
                "model_versions": dict(scored.versions),
                "dagster/column_schema": table_schema(table),
                "dagster/column_lineage": column_lineage(table, {"feature_store.sensor_features": SENSOR_FEATURES}),
            }
        )

    return batch_predictions
