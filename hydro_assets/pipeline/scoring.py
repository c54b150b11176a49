"""Score days of the feature table with the models that serve, and bring the outlook up to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import polars as pl

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import decisions
from hydro_assets.pipeline.outdated import serving_versions
from hydro_assets.registry.mlflow_client import tracking_errors
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.scoring import scoring_job, system_outlook
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import ScoredDays, score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS


def serving_models(settings: Settings) -> ServingModels:
    """The pinned, else champion, else latest version of each kind; kinds without a version are absent.

    Raises ModelUnavailableError when a version that should serve is damaged or of another grid.
    """
    serving = serving_versions(settings)
    packages = {kind: RegisteredModel(settings, kind).load(version) for kind, version in serving.versions.items()}
    return replace(serving, packages=packages)


def require_no_lost_registry(lakehouse: Lakehouse) -> None:
    """Raise ModelUnavailableError where MLflow knows no version of a model that the promotion log judged before.

    A new farm has no log: there the baseline alone is a fair forecast. In front of a lost or mistaken database it would
    replace what the models said.
    """
    lost = []
    for model in (RegisteredModel(lakehouse.settings, kind) for kind in MODELS):
        with tracking_errors(model.settings, f"Looking up the versions of {model.name}"):
            registered = model.versions()
        judged = [] if registered else decisions(lakehouse, model.kind)["challenger"].drop_nulls()
        if len(judged):
            lost.append(f"{model.name} has no version in MLflow, though version {judged[-1]} was there before")
    if lost:
        raise ModelUnavailableError.of_all(
            lost,
            "Nothing was predicted anew. Correct HYDRO_MLFLOW_TRACKING_URI, or restore the database of MLflow from a "
            "copy; to start without the lost versions, train each of these once: hydro train lstm (gru, lightgbm)",
        )


def batch_inference(lakehouse: Lakehouse, start_day: date, end_day: date, scored_at: datetime) -> ScoredDays:
    """Replace the days `[start_day, end_day)` of `forecasts` and `batch_predictions`.

    Nothing is written when a model is damaged or the registry was lost.
    """
    settings = lakehouse.settings
    require_no_lost_registry(lakehouse)
    return score_days(lakehouse, settings, serving_models(settings), start_day, end_day, scored_at)


def forecasts_as_of(lakehouse: Lakehouse, start_day: date, end_day: date, as_of: datetime) -> pl.DataFrame:
    """What the serving models would have predicted for the days with what was known at `as_of`; writes no table."""
    return scoring_job.forecasts_as_of(lakehouse, serving_models(lakehouse.settings), start_day, end_day, as_of)


def refresh_outlook(lakehouse: Lakehouse, as_of: datetime) -> pl.DataFrame:
    """Bring `system_outlook` up to the newest forecasts of every system."""
    return system_outlook.refresh_outlook(lakehouse, as_of)
