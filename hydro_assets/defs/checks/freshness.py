"""When each table is due: one table, from which the freshness policies and the partition-aware checks are made.

A policy tells that the pipeline lives (it looks at the last event, of any day); the check tells that yesterday is
there, which no policy can (rebuilding an old day would turn it green).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from hydro_assets.defs.checks.results import check_result
from hydro_assets.defs.keys import BATCH_PREDICTIONS, FORECASTS, IOT_DATA, SENSOR_FEATURES, model_key
from hydro_assets.defs.resources.lakehouse_resource import LakehouseResource
from hydro_assets.quality import Finding
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names


@dataclass(frozen=True)
class Deadline:
    """Yesterday's rows of `table` are due at `hour` UTC."""

    asset: dg.AssetKey
    table: str
    hour: int

    def due_day(self, now: datetime) -> date:
        """The last day that must be there at `now`."""
        today = now.astimezone(UTC)
        return today.date() - timedelta(days=1 if today.hour >= self.hour else 2)


DAILY_DEADLINES = (
    Deadline(IOT_DATA, names.IOT_DATA, 6),
    Deadline(SENSOR_FEATURES, names.SENSOR_FEATURES, 8),
    Deadline(FORECASTS, names.FORECASTS, 9),
    Deadline(BATCH_PREDICTIONS, names.BATCH_PREDICTIONS, 9),
)
# Models are trained weekly; two days of grace.
MODEL_AGE = timedelta(days=9)
MODEL_AGE_WARNING = timedelta(days=7, hours=6)


def freshness_policies(settings: Settings) -> Mapping[dg.AssetKey, dg.FreshnessPolicy]:
    """The policy of every asset that has a deadline."""
    policies: dict[dg.AssetKey, dg.FreshnessPolicy] = {
        d.asset: dg.FreshnessPolicy.cron(f"0 {d.hour} * * *", lower_bound_delta=timedelta(hours=d.hour), timezone="UTC")
        for d in DAILY_DEADLINES
    }
    weekly = dg.FreshnessPolicy.time_window(fail_window=MODEL_AGE, warn_window=MODEL_AGE_WARNING)
    return policies | {model_key(settings, kind): weekly for kind in MODELS}


def arrival(table: str, due: date, newest: date | None) -> Finding:
    """Whether the day that is due has rows."""
    facts = {"due": str(due), "newest": str(newest)}
    if newest is None:
        return Finding("yesterday_arrived", False, "warn", f"{table} has no rows; {due} is due", facts)
    late = (due - newest).days
    text = f"{table} has rows up to {newest}" + (f": {late} days behind {due}, which is due" if late > 0 else "")
    return Finding("yesterday_arrived", late <= 0, "warn", text, facts)


def freshness_checks() -> list[dg.AssetChecksDefinition]:
    """`NAME_arrived` for every daily deadline, with the name of its table: no two checks are called the same."""
    return [_arrived(deadline) for deadline in DAILY_DEADLINES]


def _arrived(deadline: Deadline) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=deadline.asset,
        name=f"{deadline.asset.path[-1]}_arrived",
        description=f"After {deadline.hour:02d}:00 UTC {deadline.table} holds rows of yesterday.",
    )
    def arrived(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        house = lakehouse.get()
        days = house.days(deadline.table) if house.exists(deadline.table) else []
        # A gap within the last days is the business of other checks; here only the newest day counts.
        newest = days[-1] if days else None
        return check_result([arrival(deadline.table, deadline.due_day(datetime.now(UTC)), newest)])

    return arrived
