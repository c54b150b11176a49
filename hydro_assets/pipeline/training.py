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

from hydro_assets.lakehouse import Lakehouse, TableVersion
from hydro_assets.pipeline.feature_rows import feature_rows
from hydro_assets.pipeline.outdated import require_one_making
from hydro_assets.settings import Settings
from hydro_assets.tables import names

if TYPE_CHECKING:
    from hydro_assets.registry.promotion import PromotionDecision
    from hydro_assets.registry.registry import RegisteredVersion
    from hydro_assets.training.train import TrainingResult


GIT_COMMIT = "HYDRO_GIT_COMMIT"
"""Set for a launched step: the code that was shipped to it is no checkout."""


@dataclass(frozen=True)
class TrainedModel:
    """A training and what became of it."""

    result: TrainingResult
    registered: RegisteredVersion
    decision: PromotionDecision
    features: TableVersion


def train_model(
    lakehouse: Lakehouse,
    kind: str,
    trained_at: datetime,
    settings: Settings | None = None,
    on_progress: Callable[[str], None] | None = None,
    dagster_run_id: str | None = None,
    asset: str | None = None,
) -> TrainedModel:
    """Train `kind` on the whole feature table; `settings` may differ from the lakehouse's in model parameters only.

    The training window is held to its contract first, so that a training by hand cannot learn from bad data.

    Raises:
        TableError: there is no feature table.
        DataContractError: the training window is not fit for training; the message names every reason. Or days of it
            were made with other settings than those of now.
        TrainingError, TrackingError: nothing can be learned, or MLflow did not take it.
    """
    from hydro_assets.quality import raise_if_bad
    from hydro_assets.quality.feature_findings import training_window_findings
    from hydro_assets.registry.promotion import promote
    from hydro_assets.registry.registry import train_and_register
    from hydro_assets.registry.tracking import Provenance, trained_with

    settings = settings or lakehouse.settings
    require_one_making(lakehouse)
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
            feature_version=version.version,
            gold_version=gold.version if gold else None,
            settings=trained_with(settings, kind),
        )
        result, registered = train_and_register(kind, features, settings, provenance, on_progress=on_progress)
        decision = promote(settings, kind, features, trained_at)
    _record(lakehouse, decision)
    if on_progress is not None:
        on_progress(decision.reason)
    return TrainedModel(result, registered, decision, version)


def compete(lakehouse: Lakehouse, kind: str, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Judge a version, by default the challenger, against the champion on the feature table as it is now; log it."""
    from hydro_assets.registry.promotion import promote

    with feature_rows(lakehouse) as (features, _):
        decision = promote(lakehouse.settings, kind, features, decided_at, version)
    _record(lakehouse, decision)
    return decision


def roll_back(lakehouse: Lakehouse, kind: str, decided_at: datetime, version: str | None = None) -> PromotionDecision:
    """Make a version, by default the champion before the present one, champion again, and log it."""
    from hydro_assets.registry.promotion import rollback

    decision = rollback(lakehouse.settings, kind, decided_at, version)
    _record(lakehouse, decision)
    return decision


def _record(lakehouse: Lakehouse, decision: PromotionDecision) -> None:
    from hydro_assets.registry.promotion import log_rows
    from hydro_assets.tables import PROMOTION_LOG

    lakehouse.append(PROMOTION_LOG, log_rows([decision]))


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
