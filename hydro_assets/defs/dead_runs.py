"""Dagster runs whose process is gone: ended by the next look, so that their days are built again."""

from __future__ import annotations

import dagster as dg

from hydro_assets.defs.attempts import TRIGGER_TAG

BY_COMMAND = "hydro_run"
"""The trigger of runs that the command line executes in its own process."""

_ALIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs of killed `hydro run` commands; returns their ids.

    The caller holds the lock of the home, so no such command can be at work. Runs of `hydro dev` are ended by run
    monitoring, which dagster.yaml switches on.
    """
    dead = instance.get_runs(dg.RunsFilter(statuses=_ALIVE, tags={TRIGGER_TAG: BY_COMMAND}))
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed; what it had committed stays.")
    return [run.run_id for run in dead]
