"""Are the features as new as Gold? A day that cannot be built must not go silent."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import dagster as dg

from hydro_assets.defs.attempts import Attempt, attempts, latest_for_need
from hydro_assets.defs.checks.results import check_result
from hydro_assets.defs.keys import FEATURES_CURRENT, SENSOR_FEATURES
from hydro_assets.features.spec import made_with
from hydro_assets.features.staleness import BuiltDays, ChangedDays, Reach, stale_days
from hydro_assets.lakehouse.delta_log import ChangeLog
from hydro_assets.quality import Finding
from hydro_assets.settings import Settings
from hydro_assets.tables import names


def features_current(settings: Settings, open_log: Callable[[Settings], ChangeLog]) -> dg.AssetChecksDefinition:
    """The check; it names the days that failed and wait."""

    @dg.asset_check(
        asset=SENSOR_FEATURES,
        name=FEATURES_CURRENT.name,
        description="No feature day is older than the Gold it needs while its last run has failed.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        log = open_log(settings)
        reading = log.read(names.IOT_DATA, None)
        if reading is None:
            return check_result([Finding("features_current", True, "warn", "there is no Gold yet")])
        gold = ChangedDays().advance(reading)
        built = BuiltDays().advance(log.read(names.SENSOR_FEATURES, None))
        stale = stale_days(gold, built, Reach.of(settings), made_with(settings))
        return check_result([currency(stale, latest_for_need(attempts(context.instance), stale, gold.table))])

    return check


def currency(stale: Mapping[date, int], tried: Mapping[date, Sequence[Attempt]]) -> Finding:
    """Stale days, told apart by what became of their last run."""
    failed = [str(day) for day in stale if tried.get(day) and tried[day][0].has_failed]
    waiting = len(stale) - len(failed)
    text = f"{waiting} feature days are older than Gold and will be built"
    if failed:
        text = f"{len(failed)} feature days are older than Gold and their last run failed: {', '.join(failed)}; " + text
    return Finding("features_current", not failed, "warn", text, {"failed": failed, "waiting": waiting})
