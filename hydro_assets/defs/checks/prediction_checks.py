"""Checks of predictions: each day's rows, and what actual values said of the last days."""

from datetime import date, timedelta

import dagster as dg

from hydro_assets.defs.checks.results import check_days, check_result
from hydro_assets.defs.keys import FORECASTS_FIT, PREDICTIONS_FIT, RECENT_ACCURACY
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.quality import Finding, prediction_findings
from hydro_assets.settings import Settings
from hydro_assets.tables import PREDICTION_ACCURACY, names

RECENT_DAYS = 7


def prediction_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """All checks of forecasts, batch_predictions and prediction_accuracy."""

    @dg.asset_check(
        asset=RECENT_ACCURACY.asset_key,
        name=RECENT_ACCURACY.name,
        description=f"Over the last {RECENT_DAYS} days with actual values, on rows that no model learned from: "
        "intervals cover their share, and the ensemble is no worse than the best baseline.",
    )
    def recent_accuracy(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        days = house.days(PREDICTION_ACCURACY.name) if house.exists(PREDICTION_ACCURACY.name) else []
        last = days[-RECENT_DAYS:]
        rows = house.read_polars(PREDICTION_ACCURACY.name, last[0], last[-1] + timedelta(days=1)) if last else None
        if rows is None:
            return dg.AssetCheckResult(passed=True, description="no forecast has met its actual value yet")
        return check_result(prediction_findings.recent_findings(rows))

    fit = [_day_check(settings, FORECASTS_FIT, names.FORECASTS, "target")]
    fit += [_day_check(settings, PREDICTIONS_FIT, names.BATCH_PREDICTIONS, "target_col")]
    return [*fit, recent_accuracy]


def _day_check(settings: Settings, key: dg.AssetCheckKey, table: str, target: str) -> dg.AssetChecksDefinition:
    """The blocking check of each day of `table`, whose column `target` names what is forecast."""

    @dg.asset_check(
        asset=key.asset_key,
        name=key.name,
        blocking=True,
        partitions_def=feature_days(settings),
        description="Every row predicted or explained, ensemble_avg the mean of its members, possible values. Blocks.",
    )
    def day_fits(context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()

        def judge(day: date) -> list[Finding]:
            rows = house.read_polars(table, day, day + timedelta(days=1), [*prediction_findings.COLUMNS, target])
            return prediction_findings.day_findings(rows)

        return check_days(context, key, judge)

    return day_fits
