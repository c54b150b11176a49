"""What follows from forecasts: errors when actual values arrive, drift of the inputs, the outlook of each system."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from hydro_assets.defs import keys
from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.facts import column_lineage, definition_facts, section_facts
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import FORECASTS, HEAVY, SENSOR_FEATURES, Group, model_key
from hydro_assets.defs.partitions import day_range, feature_days
from hydro_assets.scoring.system_outlook import outlook_table
from hydro_assets.settings import Settings
from hydro_assets.tables import FEATURE_DRIFT, MODELS, PREDICTION_ACCURACY, Table, names

_UPSTREAM = {names.SENSOR_FEATURES: SENSOR_FEATURES, names.FORECASTS: FORECASTS}


def _common(table: Table, settings: Settings) -> dict[str, Any]:
    return {
        "key": keys.of_table(table.name),
        "required_resource_keys": HEAVY,
        "retry_policy": retry_policy(settings),
        "group_name": Group.MONITORING,
        "kinds": {"spark", "deltalake"},
        "metadata": definition_facts(table, settings.table(table.name)),
        "description": table.comment,
        "code_version": code_version(__name__, shown_by="hydro_assets.pipeline.farm_report"),
    }


def monitoring_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`prediction_accuracy`, `feature_drift` (daily) and `system_outlook` (one row per system and target)."""
    daily: dict[str, Any] = {
        "partitions_def": feature_days(settings),
        "backfill_policy": dg.BackfillPolicy.single_run(),
    }

    @dg.asset(deps=[FORECASTS, SENSOR_FEATURES], **daily, **_common(PREDICTION_ACCURACY, settings))
    def prediction_accuracy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.monitoring.evaluation import evaluate_days
        from hydro_assets.pipeline.farm_report import accuracy, section

        lakehouse = context.resources.lakehouse.get()
        with no_retry_on_contract():
            made = evaluate_days(lakehouse, lakehouse.settings, *day_range(context))
        facts = section_facts(section("Errors by day", accuracy, lakehouse, datetime.now(UTC)))
        return _daily_result(context, made.uri, made.rows_by_day, PREDICTION_ACCURACY, facts)

    @dg.asset(
        deps=[SENSOR_FEATURES, *(model_key(settings, kind) for kind in MODELS)],
        **daily,
        **_common(FEATURE_DRIFT, settings),
    )
    def feature_drift(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.monitoring.drift_days import measure_drift
        from hydro_assets.pipeline.farm_report import drift, section
        from hydro_assets.pipeline.scoring import serving_models

        lakehouse = context.resources.lakehouse.get()
        with no_retry_on_contract():
            models = serving_models(lakehouse.settings)
            made = measure_drift(lakehouse, lakehouse.settings, models, *day_range(context))
        shares = {f"drifted_share_{kind}": float(share) for kind, share in made.drifted_share.items()}
        facts = section_facts(section("Drift", drift, lakehouse, datetime.now(UTC)))
        return _daily_result(context, made.uri, made.rows_by_day, FEATURE_DRIFT, facts | shares)

    @dg.asset(deps=[FORECASTS, SENSOR_FEATURES], **_common(outlook_table(settings), settings))
    def system_outlook(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.farm_report import outlook, section
        from hydro_assets.pipeline.scoring import refresh_outlook

        lakehouse, now = context.resources.lakehouse.get(), datetime.now(UTC)
        with no_retry_on_contract():
            rows = refresh_outlook(lakehouse, now).height
        facts = section_facts(section("Outlook", outlook, lakehouse, now))
        return dg.MaterializeResult(metadata={**facts, "dagster/row_count": rows})

    # With keywords from a dict, a type checker cannot tell which form of the decorator was meant.
    return [prediction_accuracy, feature_drift, system_outlook]  # pyright: ignore[reportReturnType]


def _daily_result(
    context: dg.AssetExecutionContext,
    uri: str,
    rows_by_day: Mapping[str, int],
    table: Table,
    facts: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult:
    for day in context.partition_keys:
        context.add_asset_metadata({"dagster/partition_row_count": rows_by_day.get(day, 0)}, partition_key=day)
    return dg.MaterializeResult(
        metadata={
            **(facts or {}),
            "dagster/row_count": sum(rows_by_day.values()),
            "dagster/uri": uri,
            "dagster/column_lineage": column_lineage(table, _UPSTREAM),
        }
    )
