"""One MLflow run per training: FINISHED, FAILED or KILLED, never left RUNNING.

A run is alive while its process holds a lock file under `HYDRO_HOME`; the operating system drops the lock when the
process ends in whatever way, so the next look can tell a killed run from one that still works. Each training looks
before it starts, and `end_abandoned` whenever it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict

from hydro_assets.durations import duration_text
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# A run of another machine, whose lock cannot be seen from here, is given up after this time.
LONGEST_TRAINING = timedelta(days=1)

DAGSTER_RUN = "dagster_run_id"
LOCK = "lock"


class Provenance(BaseModel):
    """Who trained, when, from what. `feature_uri` is where the Delta table lies; versions are Delta versions.

    `settings` is the text of `trained_with`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained_at: AwareDatetime
    dagster_run_id: str | None = None
    asset: str | None = None
    partition: str | None = None
    git_commit: str | None = None
    feature_table: str | None = None
    feature_uri: str | None = None
    feature_table_id: str | None = None
    feature_version: int | None = None
    gold_version: int | None = None
    settings: str | None = None

    def tags(self) -> dict[str, str]:
        """What is known, as tags."""
        return {key: str(value) for key, value in self.model_dump(mode="json").items() if value is not None}


_SHAPE_A_MODEL = {
    "target_col",
    "targets",
    "labels",
    "lead_times",
    "forecast_horizon",
    "sequence_length",
    "seed",
    "train_share",
    "validation_share",
}


def trained_with(settings: Settings, kind: str) -> str:
    """The settings that shape a version of `kind` beside its features, as text; a tag of each registered version."""
    own = settings.lightgbm if kind == "lightgbm" else settings.recurrent
    shaping = settings.model_dump(mode="json", include=_SHAPE_A_MODEL) | own.model_dump(mode="json")
    return json.dumps(shaping, sort_keys=True)


@dataclass(frozen=True)
class TrainingRun:
    """An MLflow run that is being written."""

    model: RegisteredModel
    provenance: Provenance
    experiment_id: str
    run_id: str


@contextmanager
def training_run(model: RegisteredModel, provenance: Provenance) -> Iterator[TrainingRun]:
    """Open the MLflow run of one training, and end it: FINISHED, KILLED on Ctrl-C or exit, FAILED on any error.

    Runs that killed processes left behind are marked KILLED first (see `close_orphans`).

    Raises:
        TrackingError: MLflow cannot be reached or written.
    """
    lock_name, settings = uuid4().hex, model.settings
    lock, doing = _lock(settings, lock_name), f"Logging the training of {model.kind}"
    with _held(lock):
        with tracking_errors(settings, doing):
            client, experiment = model.client, model.experiment_id()
            close_orphans(client, settings, experiment, provenance)
            run_id = client.create_run(
                experiment,
                run_name=f"{model.kind} {provenance.trained_at:%Y-%m-%d %H:%M}",
                tags=_tags(model, provenance) | {LOCK: lock_name},
            ).info.run_id
        try:
            yield TrainingRun(model, provenance, experiment, run_id)
            with tracking_errors(settings, doing):
                client.set_terminated(run_id, "FINISHED")
        except BaseException as exc:  # also Ctrl-C and exit: whatever ends the training must end its run
            _end_unfinished(client, run_id, exc)
            raise


def end_abandoned(settings: Settings, at: datetime, dagster_run_is_over: Callable[[str], bool]) -> list[str]:
    """Close the orphans of all kinds as seen at `at`; returns their ids. Makes neither a store nor an experiment.

    Raises:
        TrackingError: MLflow cannot be reached or written.
    """
    if settings.has_local_mlflow and not (settings.root / "mlflow").exists():
        return []
    closed: list[str] = []
    with tracking_errors(settings, "Looking for abandoned trainings"):
        for model in (RegisteredModel(settings, kind) for kind in MODELS):
            experiment = model.client.get_experiment_by_name(model.experiment)
            if experiment is not None:
                looking = Provenance(trained_at=at)
                closed += close_orphans(model.client, settings, experiment.experiment_id, looking, dagster_run_is_over)
    return closed


def close_orphans(
    client: MlflowClient,
    settings: Settings,
    experiment: str,
    provenance: Provenance,
    dagster_run_is_over: Callable[[str], bool] | None = None,
) -> list[str]:
    """Mark RUNNING runs of `experiment` whose training is gone as KILLED; returns their ids.

    Gone is a run whose lock under this home is free; that belongs to an earlier attempt of the same Dagster step; whose
    Dagster run is over, when `dagster_run_is_over` can tell; or, of another machine, that is older than
    `LONGEST_TRAINING`.
    """
    orphans: list[str] = []
    for run in _running(client, experiment):
        lock_name = run.data.tags.get(LOCK, run.info.run_id)
        if not _is_orphan(run, _lock(settings, lock_name), provenance, dagster_run_is_over):
            continue
        # A training ends its run before it lets go of its lock: only now is the status final.
        if client.get_run(run.info.run_id).info.status == "RUNNING":
            client.set_tag(run.info.run_id, "error", "the process that trained was killed")
            client.set_terminated(run.info.run_id, "KILLED")
            orphans.append(run.info.run_id)
        Path(_lock(settings, lock_name).lock_file).unlink(missing_ok=True)
    return orphans


def _is_orphan(
    run: Run, lock: FileLock, provenance: Provenance, dagster_run_is_over: Callable[[str], bool] | None
) -> bool:
    if Path(lock.lock_file).exists():
        return _is_free(lock)
    tags = run.data.tags
    dagster_run = tags.get(DAGSTER_RUN)
    if dagster_run is not None:
        same_step = (dagster_run, tags.get("asset"), tags.get("partition")) == (
            provenance.dagster_run_id,
            provenance.asset,
            provenance.partition,
        )
        if same_step or (dagster_run_is_over is not None and dagster_run_is_over(dagster_run)):
            return True
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    return provenance.trained_at - started > LONGEST_TRAINING


@contextmanager
def _held(lock: FileLock) -> Iterator[None]:
    try:
        with lock:
            yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)


def _is_free(lock: FileLock) -> bool:
    try:
        with lock.acquire(blocking=False):
            return True
    except Timeout:
        return False


def _lock(settings: Settings, name: str) -> FileLock:
    folder = settings.root / "mlflow" / "running"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


def _running(client: MlflowClient, experiment: str) -> list[Run]:
    runs: list[Run] = []
    token: str | None = None
    while token != "":
        page = client.search_runs([experiment], "attributes.status = 'RUNNING'", page_token=token)
        runs += page
        token = page.token or ""
    return runs


def _end_unfinished(client: MlflowClient, run_id: str, cause: BaseException) -> None:
    """End the run of a training that did not finish; when MLflow is what failed, the cause still wins."""
    from mlflow.exceptions import MlflowException

    status = "FAILED" if isinstance(cause, Exception) else "KILLED"
    try:
        client.set_tag(run_id, "error", f"{type(cause).__name__}: {cause}"[:1000])
        client.set_terminated(run_id, status)
    except MlflowException as exc:
        cause.add_note(f"MLflow run {run_id} could not be marked {status} ({exc}); the next training will do it.")


def _tags(model: RegisteredModel, provenance: Provenance) -> dict[str, str]:
    settings = model.settings
    tags = provenance.tags() | {
        "model_type": model.kind,
        "target_col": settings.target_col,
        "horizon": str(settings.forecast_horizon),
        "feature_step": duration_text(settings.feature_step),
        "experiment_name": model.experiment,
        "registered_model": model.name,
    }
    if provenance.git_commit is not None:
        tags["mlflow.source.git.commit"] = provenance.git_commit  # the key that MLflow's pages show
    return tags
