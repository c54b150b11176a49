"""Checks of predictions: each day's rows, and what the truth said of the last days."""

from datetime import date, timedelta

import dagster as dg

from hydro_assets.defs.checks.results import check_days, check_result
from hydro_assets.defs.keys import PREDICTIONS_FIT, RECENT_ACCURACY
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.quality import Finding, prediction_findings
from hydro_assets.settings import Settings
from hydro_assets.tables import PREDICTION_ACCURACY, names

RECENT_DAYS = 7


def prediction_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """All checks of batch_predictions and prediction_accuracy."""

    @dg.asset_check(
        asset=PREDICTIONS_FIT.asset_key,
        name=PREDICTIONS_FIT.name,
        blocking=True,
        partitions_def=feature_days(settings),
        description="Every row predicted or explained, ensemble_avg the mean of its members, possible values. Blocks.",
    )
    def predictions_fit(context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()

        def judge(day: date) -> list[Finding]:
            rows = house.read_polars(names.BATCH_PREDICTIONS, day, day + timedelta(days=1), prediction_findings.COLUMNS)
            return prediction_findings.day_findings(rows, house.settings)

        return check_days(context, PREDICTIONS_FIT, judge)

    @dg.asset_check(
        asset=RECENT_ACCURACY.asset_key,
        name=RECENT_ACCURACY.name,
        description=f"Over the last {RECENT_DAYS} days with actual values: intervals cover their share, and the "
        "ensemble is no worse than the baseline.",
    )
    def recent_accuracy(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        days = house.days(PREDICTION_ACCURACY.name) if house.exists(PREDICTION_ACCURACY.name) else []
        last = days[-RECENT_DAYS:]
        rows = house.read_polars(PREDICTION_ACCURACY.name, last[0], last[-1] + timedelta(days=1)) if last else None
        if rows is None:
            return dg.AssetCheckResult(passed=True, description="no actual value of a forecast has arrived yet")
        return check_result(prediction_findings.recent_findings(rows, house.settings))

    return [predictions_fit, recent_accuracy]
