"""A training that is logged and registered, without a feature table."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from hydro_assets.pipeline.competition import judge
from hydro_assets.registry.promotion import PromotionDecision, apply
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.registry.registration import RegisteredVersion, register
from hydro_assets.registry.run_log import log_training
from hydro_assets.registry.tracking import Provenance, training_run
from hydro_assets.registry.trained import Trained
from hydro_assets.settings import Settings


def log_and_register(
    result: Trained, settings: Settings, provenance: Provenance, features: pl.DataFrame
) -> RegisteredVersion:
    """Log and register a training that has already been done; `features` give schema and input example."""
    with training_run(RegisteredModel(settings, result.package.info.kind), provenance) as run:
        digest = log_training(run, result, features)
    return register(run, result, digest)


def promote(
    settings: Settings, kind: str, features: pl.DataFrame, at: datetime, version: str | None = None
) -> PromotionDecision:
    """Judge a version and move the alias if it wins, without the log, which is a table."""
    model = RegisteredModel(settings, kind)
    decision = judge(model, features, at, version)
    apply(decision, model)
    return decision
