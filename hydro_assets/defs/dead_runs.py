"""Dagster runs whose process is gone: ended by the next look, so that their days are built again."""

from __future__ import annotations

import os

import dagster as dg

from hydro_assets.defs.attempts import TRIGGER_TAG

BY_COMMAND = "hydro_run"
"""The trigger of runs that the command line executes in its own process."""

_ALIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_dead_runs(instance: dg.DagsterInstance, alone: bool = False) -> list[str]:
    """End the runs of killed `hydro run` and `hydro dev`; returns their ids.

    Dagster itself only gives up a run after its longest time, a day. `alone`: the caller holds the lock of the home, so
    no `hydro run` can be at work, also where it died before it said in which process it runs.
    """
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_ALIVE)):
        process = _process(instance, run.run_id)
        if (alone and run.tags.get(TRIGGER_TAG) == BY_COMMAND) or (process is not None and _is_gone(process)):
            instance.report_run_failed(run, "The process of this run was killed; what it had committed stays.")
            dead.append(run.run_id)
    return dead


def _process(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that works on a run, as its first event says that names one; those of its steps come later."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = None if event is None else event.engine_event_data.metadata.get("pid")
        if pid is not None and str(pid.value).isdigit():
            return int(str(pid.value))
    return None


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's: the number was given anew, or it is at work
        return False
    return False
