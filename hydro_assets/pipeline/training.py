"""Train one model on the feature table, register it, and let it compete with the champion."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.forecasting.info import DataFacts
from hydro_assets.lakehouse import Lakehouse, TableVersion
from hydro_assets.pipeline.competition import promote
from hydro_assets.pipeline.feature_rows import feature_rows
from hydro_assets.pipeline.outdated import require_one_making
from hydro_assets.quality import raise_if_bad
from hydro_assets.quality.feature_findings import training_window_findings
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.registration import register, registered_before
from hydro_assets.registry.run_log import log_training
from hydro_assets.registry.tracking import Provenance, trained_with, training_run
from hydro_assets.settings import Settings
from hydro_assets.tables import names
from hydro_assets.training.train import train

if TYPE_CHECKING:
    from hydro_assets.registry.promotion import PromotionDecision
    from hydro_assets.registry.registered_model import RegisteredModel
    from hydro_assets.registry.registration import RegisteredVersion
    from hydro_assets.registry.tracking import Provenance
    from hydro_assets.training.train import TrainingResult


GIT_COMMIT = "HYDRO_GIT_COMMIT"
"""Set for a launched step: the code that was shipped to it is no checkout."""


@dataclass(frozen=True)
class TrainedModel:
    """A training and what became of it. `result` is None where an earlier attempt of the same step had trained."""

    result: TrainingResult | None
    registered: RegisteredVersion
    decision: PromotionDecision
    features: TableVersion
    provenance: Provenance


def train_model(
    lakehouse: Lakehouse,
    kind: str,
    trained_at: datetime,
    settings: Settings | None = None,
    on_progress: Callable[[str], None] | None = None,
    dagster_run_id: str | None = None,
    asset: str | None = None,
) -> TrainedModel:
    """Train `kind` on the whole feature table, register it, and let it compete with the champion.

    `settings` may differ from the lakehouse's in what and how is trained; the competition goes by the lakehouse's, so
    that a training of one target cannot take others away. The training window is held to its contract first, so that a
    training by hand cannot learn from bad data. The order is: open the run, train, log, end the run, register, judge,
    log the decision, move the alias. A Dagster step that is repeated goes on after what its earlier attempt registered.

    Raises:
        TableError: there is no feature table.
        DataContractError: the training window is not fit for training; the message names every reason. Or days of it
            were made with other settings than those of now.
        TrainingError, TrackingError: nothing can be learned, or MLflow did not take it.
    """
    settings = settings or lakehouse.settings
    require_one_making(lakehouse)
    model = RegisteredModel(settings, kind)
    with feature_rows(lakehouse) as (features, version):
        remedy = "Mend these days in Gold and rebuild their features, or train on other data; nothing was trained"
        raise_if_bad(training_window_findings(features, settings), remedy)
        gold = lakehouse.version(names.IOT_DATA)
        provenance = Provenance(
            trained_at=trained_at,
            dagster_run_id=dagster_run_id,
            asset=asset,
            partition=_span(features),
            git_commit=git_commit(),
            feature_table=settings.table(names.SENSOR_FEATURES),
            feature_uri=lakehouse.uri(names.SENSOR_FEATURES),
            feature_table_id=version.table_id,
            feature_version=version.version,
            gold_version=gold.version if gold else None,
            settings=trained_with(settings, kind),
        )
        result, registered = None, registered_before(model, provenance)
        if registered is None:
            result, registered = train_and_register(model, features, provenance, on_progress)
        decision = promote(lakehouse, kind, features, trained_at)
    if on_progress is not None:
        on_progress(decision.reason)
    return TrainedModel(result, registered, decision, version, provenance)


def train_and_register(
    model: RegisteredModel,
    features: pl.DataFrame,
    provenance: Provenance,
    on_progress: Callable[[str], None] | None = None,
) -> tuple[TrainingResult, RegisteredVersion]:
    """Train inside an MLflow run, log it, end the run, register. A training that fails leaves a FAILED run.

    Raises:
        TrainingError: nothing can be learned from `features`.
        TrackingError: MLflow did not take the run or the version; versions registered before are untouched.
    """
    read = {names.SENSOR_FEATURES: provenance.feature_version, names.IOT_DATA: provenance.gold_version}
    facts = DataFacts(table=provenance.feature_table, versions={t: v for t, v in read.items() if v is not None})
    with training_run(model, provenance) as run:
        result = train(model.kind, features, model.settings, data_facts=facts, on_progress=on_progress)
        digest = log_training(run, result, features)
    return result, register(run, result, digest)


def _span(features: pl.DataFrame) -> str:
    return f"{features['date'].min()}..{features['date'].max()}"


def git_commit() -> str | None:
    """Commit of this code: as the host said that launched the step, else of its checkout; None where nobody knows."""
    if GIT_COMMIT in os.environ:
        return os.environ[GIT_COMMIT]
    if shutil.which("git") is None:
        return None
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None
