"""The newest runs of a farm on its workspace: of the two plain jobs, and of the steps that Dagster launched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from hydro_assets.databricks.plain_jobs import INFERENCE_JOB, TRAINING_JOB
from hydro_assets.databricks.settings_environment import steps_volume
from hydro_assets.errors import HydroError
from hydro_assets.pipeline.verify import LastRun
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseRun, RunTask, Task

_PAGE = 20  # runs that one request lists at most
_LAUNCHED_LOOKED_AT = 10 * _PAGE  # a workspace may have many one-time runs of others
_SECONDS = 30  # of retries, instead of the SDK's five minutes


class WorkspaceError(HydroError):
    """The Databricks workspace did not answer what it was asked, or has nothing of this farm."""


def newest_runs(settings: Settings) -> list[LastRun]:
    """The newest run of the training job, of the inference job and of the launched steps, those that there are.

    Jobs are found by name and by the catalog among their parameters, so other targets of the bundle are told apart;
    launched steps by the volume through which they are staged.

    Raises:
        WorkspaceError: the workspace cannot be asked, or it shows no such run.
    """
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    try:
        config = Config(host=settings.step_launcher.get("host"), retry_timeout_seconds=_SECONDS)
        client = WorkspaceClient(config=config)
        runs = [_newest(_job_runs(client, name, settings.catalog)) for name in (TRAINING_JOB, INFERENCE_JOB)]
        runs.append(_newest(_launched_runs(client, steps_volume(settings))))
    except (OSError, ValueError) as error:  # the SDK's errors and lost connections; credentials that are not there
        raise WorkspaceError(
            f"The job runs of the workspace cannot be read: {' '.join(str(error).split())[:300]}",
            "Check DATABRICKS_HOST and the credentials; who asks needs CAN_VIEW on the jobs",
        ) from error
    if found := [_as_last_run(run) for run in runs if run is not None]:
        return found
    raise WorkspaceError(
        f"{config.host} shows no run of {TRAINING_JOB} or {INFERENCE_JOB} for catalog {settings.catalog}, and no step "
        "that Dagster launched",
        "Call databricks bundle run ml_training, or materialise an asset; who asks needs CAN_VIEW on the jobs",
    )


def _job_runs(client: WorkspaceClient, name: str, catalog: str) -> Iterator[BaseRun]:
    """The latest runs of every job of that name, with or without the prefix of a bundle in development mode."""
    user = (client.current_user.me().user_name or "").partition("@")[0]
    for known_as in (name, f"[dev {re.sub('[^A-Za-z0-9]+', '_', user)}] {name}"):
        for job in client.jobs.list(name=known_as, expand_tasks=True):
            found = job.settings
            if found and found.name == known_as and any(catalog in words for words in _parameters(found.tasks)):
                yield from islice(client.jobs.list_runs(job_id=job.job_id, limit=_PAGE), _PAGE)


def _launched_runs(client: WorkspaceClient, volume: str) -> Iterator[BaseRun]:
    from databricks.sdk.service.jobs import RunType

    stage = f'"stage": {json.dumps(f"{volume}/steps/")[:-1]}'
    submitted = client.jobs.list_runs(run_type=RunType.SUBMIT_RUN, expand_tasks=True, limit=_PAGE)
    for run in islice(submitted, _LAUNCHED_LOOKED_AT):
        if any(stage in word for words in _parameters(run.tasks) for word in words):
            yield run


def _parameters(tasks: Iterable[Task | RunTask] | None) -> list[list[str]]:
    return [t.spark_python_task.parameters or [] for t in tasks or [] if t.spark_python_task is not None]


def _newest(runs: Iterable[BaseRun]) -> BaseRun | None:
    return max(runs, key=lambda run: run.start_time or 0, default=None)


def _as_last_run(run: BaseRun) -> LastRun:
    from databricks.sdk.service.jobs import RunResultState

    result = run.state.result_state if run.state else None
    state = result or (run.state.life_cycle_state if run.state else None)
    return LastRun(
        run_id=str(run.run_id),
        job=run.run_name or "",
        state=state.value if state else "UNKNOWN",
        is_success=result == RunResultState.SUCCESS,
        started=datetime.fromtimestamp(run.start_time / 1000, UTC) if run.start_time else None,
        url=run.run_page_url,
    )
