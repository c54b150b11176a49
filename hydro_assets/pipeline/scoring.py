"""Score days of the feature table with the models that serve, and bring the outlook up to them."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from hydro_assets.lakehouse import Lakehouse
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
    versions = serving_versions(settings)
    packages = {kind: RegisteredModel(settings, kind).load(version) for kind, version in versions.items()}
    return ServingModels(packages, versions)


def serving_versions(settings: Settings) -> dict[str, str]:
    """The version of each kind that `serving_models` would load."""
    found = {kind: RegisteredModel(settings, kind).serving_version() for kind in MODELS}
    return {kind: version for kind, version in found.items() if version is not None}


def batch_inference(lakehouse: Lakehouse, start_day: date, end_day: date, scored_at: datetime) -> ScoredDays:
    """Replace the days `[start_day, end_day)` of `forecasts` and `batch_predictions`.

    Nothing is written when a model is damaged.
    """
    settings = lakehouse.settings
    return score_days(lakehouse, settings, serving_models(settings), start_day, end_day, scored_at)


def forecasts_as_of(lakehouse: Lakehouse, start_day: date, end_day: date, as_of: datetime) -> pl.DataFrame:
    """What the serving models would have predicted for the days with what was known at `as_of`; writes no table."""
    return scoring_job.forecasts_as_of(lakehouse, serving_models(lakehouse.settings), start_day, end_day, as_of)


def refresh_outlook(lakehouse: Lakehouse, as_of: datetime) -> pl.DataFrame:
    """Bring `system_outlook` up to the newest forecasts of every system."""
    return system_outlook.refresh_outlook(lakehouse, as_of)
