"""What a run would change: feature days older than their Gold, models older than the features, unscored features."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hydro_assets.columns import MODELS
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.feature_store.staleness import BuiltDays, GoldDays, Reach, stale_days
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.lakehouse.warehouse_log import change_log
from hydro_assets.registry.mlflow_client import mlflow_client, registered_name, tracking_errors
from hydro_assets.registry.serving import serving_version
from hydro_assets.registry.versions import find_version, versions
from hydro_assets.settings import Settings

FEATURES = "feature_store.sensor_features"


@dataclass(frozen=True)
class Outdated:
    """Days and models that are not what the tables and settings of now would make them."""

    feature_days: tuple[date, ...]
    models: tuple[str, ...]
    predictions: bool

    def __bool__(self) -> bool:
        return bool(self.feature_days or self.models or self.predictions)


def outdated(lakehouse: Lakehouse) -> Outdated:
    """Compare each table with what it was made from, by the notes in its commits."""
    settings = lakehouse.settings
    log = change_log(settings)
    gold = log.read("gold.iot_data", None)
    days = (
        ()
        if gold is None
        else tuple(
            stale_days(
                GoldDays().advance(gold),
                BuiltDays().advance(log.read(FEATURES, None)),
                Reach(settings.timezone, settings.feature_step),
            )
        )
    )
    features = lakehouse.version(FEATURES)
    models = tuple(k for k in MODELS if days or features is None or not _is_current(settings, k, features.version))
    scored = log.read("predictions.batch_predictions", None)
    notes = [commit.note for commit in scored.commits] if scored is not None else []
    serving = {k: v for k in MODELS if (v := serving_version(settings, k)) is not None}
    is_scored = (
        bool(notes)
        and features is not None
        and (notes[-1].get("feature_version") == features.version and notes[-1].get("versions") == serving)
    )
    return Outdated(days, models, bool(days or models) or not is_scored)


def _is_current(settings: Settings, kind: str, feature_version: int) -> bool:
    """Whether the newest version can be read, and learned from these features, for this target, as configured."""
    from hydro_assets.registry.serving import fetch_package, misfits

    name = registered_name(settings, kind)
    with tracking_errors(settings, f"Looking up the newest version of {name}"):
        client = mlflow_client(settings)
        newest = next(iter(versions(client, name)), None)
        found = None if newest is None else find_version(client, name, newest)
    if found is None or found.tags.get("feature_version") != str(feature_version):
        return False
    try:
        package = fetch_package(settings, kind, found.version)
    except ModelUnavailableError:  # a new version is the way out
        return False
    return not misfits(package, settings) and _asked(kind, settings).items() <= _plain(package.info.params).items()


def _asked(kind: str, settings: Settings) -> dict[str, str]:
    own = settings.lightgbm if kind == "lightgbm" else settings.recurrent
    return _plain(
        {
            "sequence_length": settings.sequence_length,
            "horizons": list(range(1, settings.forecast_horizon + 1)),
            "seed": settings.seed,
            **own.model_dump(),
        }
    )


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    """Comparable with what went through JSON."""
    return {name: json.dumps(value) for name, value in values.items()}
