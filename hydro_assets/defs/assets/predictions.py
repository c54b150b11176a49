"""`forecasts` and `batch_predictions`: every feature row forecast, or saying why not; one pass."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.facts import column_lineage, definition_facts, section_facts, table_schema
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import BATCH_PREDICTIONS, FORECASTS, HEAVY, SENSOR_FEATURES, Group, model_key
from hydro_assets.defs.partitions import day_range, feature_days
from hydro_assets.settings import Settings
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    MODELS,
    SENSOR,
    Table,
    batch_predictions_table,
    names,
    sensor_features_table,
)
from hydro_assets.tables import FORECASTS as FORECASTS_TABLE


def prediction_assets(settings: Settings) -> dg.AssetsDefinition:
    wide = batch_predictions_table(sensor_features_table(settings.feature_step, list(SENSOR), ACTUATOR_COLUMNS))
    models = [model_key(settings, kind) for kind in MODELS]

    def spec(key: dg.AssetKey, table: Table, deps: list[dg.AssetKey]) -> dg.AssetSpec:
        return dg.AssetSpec(
            key,
            deps=deps,
            group_name=Group.PREDICTIONS,
            kinds={"spark", "deltalake", "mlflow"},
            metadata=definition_facts(table, settings.table(table.name)),
            description=table.comment,
            code_version=code_version(__name__, shown_by="hydro_assets.pipeline.farm_report"),
            skippable=True,
        )

    @dg.multi_asset(
        name="score_days",
        can_subset=True,
        specs=[
            spec(FORECASTS, FORECASTS_TABLE, [SENSOR_FEATURES, *models]),
            spec(BATCH_PREDICTIONS, wide, [SENSOR_FEATURES, FORECASTS, *models]),
        ],
        partitions_def=feature_days(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys=HEAVY,
        retry_policy=retry_policy(settings),
        pool="batch_predictions",
    )
    def score(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.farm_report import forecasts, section
        from hydro_assets.pipeline.scoring import batch_inference
        from hydro_assets.scoring.scoring_job import predictions_table

        start, end = day_range(context)
        lakehouse = context.resources.lakehouse.get()
        with no_retry_on_contract():
            scored = batch_inference(lakehouse, start, end, datetime.now(UTC))
        context.log.info(f"scored {start} .. {end}: {scored.rows:,} rows, models {dict(scored.versions)}")
        made = {"feature_version": scored.feature_version, "model_versions": dict(scored.versions)}
        shown = section_facts(section("Forecast against actuals", forecasts, lakehouse, datetime.now(UTC)))
        table = predictions_table(lakehouse.read(names.SENSOR_FEATURES).columns, lakehouse.settings)
        for key, of, rows in (
            (FORECASTS, FORECASTS_TABLE, scored.forecasts_by_day),
            (BATCH_PREDICTIONS, table, scored.rows_by_day),
        ):
            by_day = {day: _day_facts(key, day, rows, scored.quality_by_day) for day in context.partition_keys}
            if key not in context.selected_asset_keys:  # written all the same: one pass makes both
                for day, known in by_day.items():
                    context.log_event(dg.AssetMaterialization(key, partition=day, metadata=known))
                continue
            for day, known in by_day.items():
                context.add_asset_metadata(known, asset_key=key, partition_key=day)
            facts = {**shown, "dagster/row_count": sum(rows.values()), "dagster/uri": lakehouse.uri(of.name), **made}
            lineage = column_lineage(of, {names.SENSOR_FEATURES: SENSOR_FEATURES})
            facts |= {"dagster/column_lineage": lineage, "columns": table_schema(of)}
            yield dg.MaterializeResult(asset_key=key, metadata=facts)

    return score


def _day_facts(
    key: dg.AssetKey, day: str, rows_by_day: Mapping[str, int], quality_by_day: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Rows of a day, and of batch_predictions how they were predicted."""
    facts: dict[str, Any] = {"dagster/partition_row_count": rows_by_day.get(day, 0)}
    return facts | ({"prediction_quality": dict(quality_by_day.get(day, {}))} if key == BATCH_PREDICTIONS else {})
