"""Score days of the feature table with the models that serve."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from hydro_assets.columns import MODELS, SYSTEM_OUTLOOK
from hydro_assets.errors import TableError
from hydro_assets.inference.members import ServingModels
from hydro_assets.inference.plan import ScoredDays, score_days
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings


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


def refresh_outlook(lakehouse: Lakehouse, as_of: datetime) -> pl.DataFrame:
    """Bring `system_outlook` up to the newest day of `batch_predictions`."""
    from hydro_assets.inference.outlook import PREDICTIONS, update_outlook

    days = lakehouse.days(PREDICTIONS)
    if not days:
        raise TableError(f"{PREDICTIONS} holds no row", "Score a day first: materialise batch_predictions")
    first = days[0]
    if lakehouse.exists(SYSTEM_OUTLOOK.name):
        # A system may have fallen silent since: start where the oldest of the newest rows lies.
        known = lakehouse.read_polars(SYSTEM_OUTLOOK.name, columns=["timestamp"])["timestamp"].min()
        first = max(first, known.date()) if isinstance(known, datetime) else first
    return update_outlook(lakehouse, lakehouse.settings, first, days[-1] + timedelta(days=1), as_of)
