"""Checks of sensor_features: every day is what columns.py says, and the whole is fit to train on."""

from dataclasses import replace
from datetime import date, timedelta

import dagster as dg

from hydro_assets.defs.attempts import REFRESH_JOB
from hydro_assets.defs.checks.results import check_days, check_result
from hydro_assets.defs.keys import FEATURES_FIT, SENSOR_FEATURES, TRAINING_WINDOW_CLEAN
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.quality import Finding, feature_findings
from hydro_assets.settings import Settings
from hydro_assets.tables import names


def feature_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """All checks of feature_store/sensor_features."""

    @dg.asset_check(
        asset=SENSOR_FEATURES,
        name=FEATURES_FIT.name,
        blocking=True,
        partitions_def=feature_days(settings),
        description="Schema of columns.py, unique keys, physical ranges, no window over a gap, null share. Blocking.",
    )
    def features_fit(context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        from hydro_assets.features.feature_job import farm_spec

        house = lakehouse.get()
        table = farm_spec(house).table

        def judge(day: date) -> list[Finding]:
            rows = house.read_polars(names.SENSOR_FEATURES, day, day + timedelta(days=1))
            return feature_findings.day_findings(rows, table, house.settings)

        return check_days(context, FEATURES_FIT, judge)

    @dg.asset_check(
        asset=SENSOR_FEATURES,
        name=TRAINING_WINDOW_CLEAN.name,
        blocking=True,
        description="The rows that models learn from: enough readings, unique keys, a known and possible target. "
        "Blocking but in the refresh of a day, which it does not stop; training itself obeys the same contract.",
    )
    def training_window_clean(
        context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource
    ) -> dg.AssetCheckResult:
        house = lakehouse.get()
        wanted = feature_findings.training_columns(house.settings)
        have = house.columns(names.SENSOR_FEATURES)
        rows = house.read_polars(names.SENSOR_FEATURES, columns=[c for c in wanted if c in have])
        findings = feature_findings.training_window_findings(rows, house.settings)
        if context.op_execution_context.job_name == REFRESH_JOB:
            findings = [replace(finding, severity="warn") for finding in findings]
        return check_result(findings)

    return [features_fit, training_window_clean]
