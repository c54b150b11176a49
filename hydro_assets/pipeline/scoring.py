"""Score days of the feature table with the models that serve."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.scoring_job import ScoredDays, predictions_as_of, score_days
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names


def serving_models(settings: Settings) -> ServingModels:
    """The pinned, else champion, else latest version of each kind; kinds without a version are absent.

    Raises ModelUnavailableError when a version that should serve is damaged or does not fit the settings.
    """
    from hydro_assets.registry.serving import load_package, serving_version

    versions = {kind: version for kind in MODELS if (version := serving_version(settings, kind)) is not None}
    return ServingModels({kind: load_package(settings, kind, v) for kind, v in versions.items()}, versions)


def batch_inference(lakehouse: Lakehouse, start_day: date, end_day: date, scored_at: datetime) -> ScoredDays:
    """Replace the days `[start_day, end_day)` of `batch_predictions`. Nothing is written when a model is damaged."""
    settings = lakehouse.settings
    return score_days(lakehouse, settings, serving_models(settings), start_day, end_day, scored_at)


def forecasts_as_of(lakehouse: Lakehouse, start_day: date, end_day: date, as_of: datetime) -> pl.DataFrame:
    """What the serving models would have predicted for the days with what was known at `as_of`; writes no table."""
    return predictions_as_of(lakehouse, serving_models(lakehouse.settings), start_day, end_day, as_of)


def refresh_outlook(lakehouse: Lakehouse, as_of: datetime) -> pl.DataFrame:
    """Bring `system_outlook` up to the newest row of every system in `batch_predictions`."""
    from pyspark.sql import functions as F

    from hydro_assets.scoring.system_outlook import update_outlook

    days = lakehouse.days(names.BATCH_PREDICTIONS)
    if not days:
        raise TableError(f"{names.BATCH_PREDICTIONS} holds no row", "Score a day first: materialise batch_predictions")
    # Systems that fell silent, or that were imported with old readings, have their newest row before the newest day.
    newest = lakehouse.read(names.BATCH_PREDICTIONS).groupBy("system_id").agg(F.max("date").alias("date"))
    first = newest.agg(F.min("date")).collect()[0][0]
    return update_outlook(lakehouse, lakehouse.settings, first, days[-1] + timedelta(days=1), as_of)
