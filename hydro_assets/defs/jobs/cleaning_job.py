"""Remove what a farm no longer needs, old runs in Dagster's log included."""

# No `from __future__ import annotations`: Dagster reads the annotations of an op.
from datetime import UTC, datetime, timedelta

import dagster as dg

from hydro_assets.defs.jobs.asset_jobs import WATCH_JOB
from hydro_assets.defs.keys import HEAVY, WITHOUT_TORCH
from hydro_assets.defs.local_run import dagster_instance
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.housekeeping import KEPT_HOURS, remove_versions, vacuum

CLEAN_JOB = "clean_farm"
KEPT_VERSIONS = 10
KEPT_DAYS = 30


def clean_farm(lakehouse: Lakehouse, versions: int, hours: int, days: int) -> list[str]:
    """Do all of it; returns what was done, in sentences."""
    with dagster_instance(lakehouse.settings) as instance:
        return [*_of_the_farm(lakehouse, versions, hours), f"{trim_runs(instance, days)} runs of health checks removed"]


def trim_runs(instance: dg.DagsterInstance, days: int) -> int:
    """Remove old runs of the hourly health checks: most of Dagster's log, and no asset was made by them."""
    before = datetime.now(UTC) - timedelta(days=days)
    old = instance.get_runs(dg.RunsFilter(job_name=WATCH_JOB, created_before=before))
    for run in old:
        instance.delete_run(run.run_id)
    return len(old)


def _of_the_farm(lakehouse: Lakehouse, versions: int, hours: int) -> list[str]:
    done = [f"{name}: {n} files removed that nothing reads" for name, n in vacuum(lakehouse, hours).items()]
    return done + [f"{version}: removed, it never served" for version in remove_versions(lakehouse, versions)]


@dg.op(out=dg.Out(dg.Nothing), required_resource_keys=HEAVY, tags=WITHOUT_TORCH)
def clean(context: dg.OpExecutionContext) -> None:
    """What `hydro clean` does."""
    for line in _of_the_farm(context.resources.lakehouse.get(), KEPT_VERSIONS, KEPT_HOURS):
        context.log.info(line)
    context.log.info(f"{trim_runs(context.instance, KEPT_DAYS)} runs of health checks removed")


@dg.job(name=CLEAN_JOB, description="Remove old files of tables, versions that never served, runs of health checks.")
def clean_job():
    clean()


weekly_cleaning = dg.ScheduleDefinition(
    name="weekly_cleaning",
    job=clean_job,
    cron_schedule="0 5 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sundays 05:00 UTC: what nothing reads any more is removed.",
)
