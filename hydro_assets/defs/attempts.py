"""What became of earlier requests: the runs that were to build feature days, read back from Dagster's own history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from hydro_assets.lakehouse.tables import TableVersion

REFRESH_JOB = "refresh_sensor_features"
DAYS_TAG = "hydro/days"
TRIGGER_TAG = "hydro/trigger"
GOLD_VERSION_TAG = "hydro/gold_version"
GOLD_TABLE_TAG = "hydro/gold_table"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
# Runs looked at, newest first. Older ones concern days that were built or given new data since.
NEWEST_RUNS = 1000


@dataclass(frozen=True)
class Attempt:
    """One run over `[start, end]` (days, inclusive) that was asked for when Gold was at `gold`."""

    run_id: str
    start: date
    end: date
    gold: TableVersion
    status: dg.DagsterRunStatus

    @property
    def is_running(self) -> bool:
        return self.status not in (
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        )

    @property
    def has_failed(self) -> bool:
        return self.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

    @property
    def days(self) -> list[date]:
        return [self.start + timedelta(days=i) for i in range((self.end - self.start).days + 1)]


def attempts(instance: dg.DagsterInstance) -> list[Attempt]:
    """Requests of the watcher, newest first."""
    runs = instance.get_runs(dg.RunsFilter(job_name=REFRESH_JOB), limit=NEWEST_RUNS)
    return [a for run in runs if (a := _attempt(run)) is not None]


def _attempt(run: dg.DagsterRun) -> Attempt | None:
    start = run.tags.get(RANGE_START_TAG, run.tags.get(PARTITION_TAG))
    end = run.tags.get(RANGE_END_TAG, run.tags.get(PARTITION_TAG))
    if start is None or end is None or GOLD_VERSION_TAG not in run.tags:
        return None
    gold = TableVersion(run.tags[GOLD_TABLE_TAG], int(run.tags[GOLD_VERSION_TAG]))
    return Attempt(run.run_id, date.fromisoformat(start), date.fromisoformat(end), gold, run.status)


def latest_for_need(
    history: Iterable[Attempt], stale: Mapping[date, int], gold: TableVersion
) -> dict[date, list[Attempt]]:
    """For each stale day its attempts that would have met the need, newest first."""
    found: dict[date, list[Attempt]] = {}
    for attempt in history:
        if attempt.gold.table_id != gold.table_id:
            continue
        for day in attempt.days:
            if day in stale and attempt.gold.version >= stale[day]:
                found.setdefault(day, []).append(attempt)
    return found
