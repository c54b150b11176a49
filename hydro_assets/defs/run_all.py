"""`hydro run`: features, models, predictions of every Gold day, as Dagster runs in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from hydro_assets.defs.assets.external_gold import DATA_VERSION, data_version, gold_materializations
from hydro_assets.defs.attempts import REFRESH_JOB, TRIGGER_TAG
from hydro_assets.defs.dead_runs import BY_COMMAND, end_dead_runs
from hydro_assets.defs.jobs.asset_jobs import SCORE_JOB, TRAIN_JOB, WATCH_JOB
from hydro_assets.defs.keys import IOT_DATA
from hydro_assets.defs.local_run import CheckStoppedRunError, dagster_instance, run_job
from hydro_assets.defs.partitions import first_day
from hydro_assets.defs.wiring import build_definitions
from hydro_assets.errors import DataContractError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.features import feature_span
from hydro_assets.pipeline.gold import require_fitting_grid
from hydro_assets.pipeline.up_to_date import DERIVED, bring_up_to_date
from hydro_assets.quality.gold_findings import measured
from hydro_assets.settings import Settings
from hydro_assets.tables import REQUIRED_SENSORS, names


def run_pipeline(
    settings: Settings, report: Callable[[str], None], everything: bool = False, rebuild: bool = False
) -> None:
    """Materialise what is not up to date, or everything, for all days of Gold.

    `rebuild` first removes the feature table and all that is made from it: the one way to another grid step.

    Raises TableError when Gold is empty or the feature table has another grid, DataContractError when readings come
    too slowly for the grid, both before anything is written; RunFailedError when a run ends red.
    """
    lakehouse = Lakehouse(settings)
    first, end = feature_span(lakehouse)
    # The partitions end today: a wall clock that runs ahead has no day there yet.
    first, end = max(first, first_day(settings)), min(end, datetime.now(UTC).date() + timedelta(days=1))
    for left_out in days_left_out(lakehouse.days(names.IOT_DATA), first, end):
        report(f"WARNING {left_out}")
    if rebuild:
        for name in DERIVED:
            lakehouse.drop_derived(name)
        report("features and all that is made from them are made anew; Gold, models and their history stay")
    require_fitting_grid(lakehouse)
    report_targets(lakehouse, report)
    with dagster_instance(settings) as instance:
        for run_id in end_dead_runs(instance, alone=True):
            report(f"run {run_id[:8]} was killed before it ended: marked failed, its days are looked at again")
        report_gold(instance, lakehouse)
        runs = _DagsterRuns(settings, instance)
        bring_up_to_date(lakehouse, runs, first, end, report, everything)
        if runs.has_scored:
            runs.watch()


class _DagsterRuns:
    """The steps as Dagster runs in this process, in the history that the UI shows."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance, self.tags = build_definitions(settings), instance, {TRIGGER_TAG: BY_COMMAND}
        self.has_scored = False

    def refresh(self, ranges: Sequence[tuple[date, date]]) -> dict[date, str]:
        return refresh(self.defs.resolve_job_def(REFRESH_JOB), self.instance, ranges, self.tags)

    def train(self) -> None:
        run_job(self.defs.resolve_job_def(TRAIN_JOB), self.instance, None, self.tags)

    def score(self, start: date, end: date) -> None:
        self.has_scored = True
        run_job(self.defs.resolve_job_def(SCORE_JOB), self.instance, (start, end), self.tags)

    def watch(self) -> None:
        """The health checks, of which the UI would else say that they were never evaluated."""
        run_job(self.defs.resolve_job_def(WATCH_JOB), self.instance, None, self.tags)


def report_targets(lakehouse: Lakehouse, report: Callable[[str], None]) -> None:
    """Say at once what a farm that does not measure the target can forecast; raise DataContractError when nothing."""
    wanted = lakehouse.settings.target_col
    found = measured(lakehouse.read_polars(names.IOT_DATA, lakehouse.days(names.IOT_DATA)[-7:][0]))
    if wanted in found:
        return
    known = ", ".join(found) or "nothing"
    others = [name for group in REQUIRED_SENSORS for name in group if name in found]
    if lakehouse.settings.targets is not None or not others:
        raise DataContractError(
            f"This farm has no usable {wanted} in its last days of Gold (measured: {known})",
            f"Forecast another column: hydro run --target {found[0] if found else 'NAME'}",
        )
    report(
        f"This farm measures no {wanted}: {', '.join(others)} are forecast (another choice: hydro run --target NAME)"
    )


def days_left_out(gold: Sequence[date], first: date, end: date) -> list[str]:
    """A sentence for the days of Gold on each side of the partitions `[first, end)`: no day is dropped silently."""
    lines = []
    if early := [day for day in gold if day < first]:
        lines.append(
            f"Gold of {early[0]} .. {early[-1]} is left out: partitions start on {first} (HYDRO_PARTITIONS_START)"
        )
    if late := [day for day in gold if day > end]:  # west of Greenwich a wall-clock day ends on the next UTC day
        lines.append(f"Gold of {late[0]} .. {late[-1]} is left out: by UTC these days are yet to come")
    return lines


def refresh(
    job: dg.JobDefinition, instance: dg.DagsterInstance, ranges: Sequence[tuple[date, date]], tags: Mapping[str, str]
) -> dict[date, str]:
    """Build the days of half-open ranges; where a check stops a range, its halves, so that a broken day stops no other.

    Returns what was found on each broken day. Raises RunFailedError when a step failed for another reason, and
    CheckStoppedRunError when not a single day can be built.
    """
    broken: dict[date, str] = {}
    for start, stop in ranges:
        broken |= _refresh(job, instance, start, stop, tags)
    if len(broken) == sum((stop - start).days for start, stop in ranges):
        raise CheckStoppedRunError(f"No day can be built: {next(iter(broken.values()))}", "Mend Gold, then run again")
    return broken


def _refresh(
    job: dg.JobDefinition, instance: dg.DagsterInstance, start: date, stop: date, tags: Mapping[str, str]
) -> dict[date, str]:
    try:
        run_job(job, instance, (start, stop), tags)
    except CheckStoppedRunError as error:
        if (stop - start).days == 1:
            return {start: error.problem}
        middle = start + (stop - start) // 2
        return _refresh(job, instance, start, middle, tags) | _refresh(job, instance, middle, stop, tags)
    return {}


def report_gold(instance: dg.DagsterInstance, lakehouse: Lakehouse) -> None:
    """Tell Dagster which Gold days are there, in which version: Gold is filled outside of it. Told once per version."""
    event = instance.get_latest_materialization_event(IOT_DATA)
    known = event.asset_materialization if event is not None else None
    if known is None or (known.tags or {}).get(DATA_VERSION) != data_version(lakehouse):
        for materialization in gold_materializations(lakehouse):
            instance.report_runless_asset_event(materialization)
