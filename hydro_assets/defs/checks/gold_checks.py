"""Checks of Gold: is a day fit to be built from, and is there enough and good enough data to learn from."""

from datetime import date, timedelta

import dagster as dg

from hydro_assets.defs.checks.results import check_days, check_result
from hydro_assets.defs.keys import IOT_DATA, READINGS_FIT
from hydro_assets.defs.partitions import feature_days
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.quality import Finding, gold_findings, probe_findings
from hydro_assets.settings import Settings
from hydro_assets.tables import names

# Cadence and probes are judged on what they do now, not on what they did a year ago.
RECENT = timedelta(days=7)


def gold_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """All checks of gold/iot_data."""

    @dg.asset_check(
        asset=IOT_DATA,
        name=READINGS_FIT.name,
        blocking=True,
        partitions_def=feature_days(settings),
        description="The day's readings carry timestamps of that day, physical values, one system per name. Blocking.",
    )
    def readings_fit(context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()

        def judge(day: date) -> list[Finding]:
            return gold_findings.day_findings(house.read_polars(names.IOT_DATA, day, day + timedelta(days=1)), day)

        return check_days(context, READINGS_FIT, judge)

    @dg.asset_check(
        asset=IOT_DATA,
        name="enough_history",
        description="Gold holds the minimum number of readings, over several days.",
    )
    def enough_history(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        days = house.days(names.IOT_DATA)
        if not days:
            return check_result([Finding("minimum_records", False, "error", "Gold has no reading")])
        readings, _, _ = house.span(names.IOT_DATA, "timestamp_key")
        return check_result(gold_findings.enough_history(readings, days[0], days[-1], house.settings))

    @dg.asset_check(
        asset=IOT_DATA,
        name="sensors_complete",
        description="pH, TDS or EC, air temperature and humidity are measured and physically possible (last 7 days).",
    )
    def sensors_complete(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        readings = recent_readings(lakehouse.get())
        return check_result([*gold_findings.completeness(readings), *gold_findings.ranges(readings)])

    @dg.asset_check(
        asset=IOT_DATA,
        name="cadence_fits_grid",
        description="Readings come at least once per grid step, per system (last 7 days).",
    )
    def cadence_fits_grid(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        return check_result(gold_findings.cadence(recent_readings(house), house.settings))

    @dg.asset_check(
        asset=IOT_DATA,
        name="probes_alive",
        description="No probe is stuck, constant zero or white noise (last 7 days).",
    )
    def probes_alive(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        return check_result(probe_findings.dead_probes(recent_readings(house), house.settings.gap_limit))

    return [readings_fit, enough_history, sensors_complete, cadence_fits_grid, probes_alive]


def recent_readings(lakehouse: Lakehouse):
    """Rows of `gold_findings.iot_data` of the last seven days that it covers, as polars."""
    days = lakehouse.days(names.IOT_DATA)
    newest = days[-1] if days else date.min + RECENT
    return lakehouse.read_polars(names.IOT_DATA, newest - RECENT + timedelta(days=1))
