"""A small simulated farm and models of it that serve: real readings, real features, real (short) trainings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.scoring.members import ServingModels
from hydro_assets.settings import Settings
from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate

STEP = timedelta(minutes=5)
END = datetime(2024, 3, 12, 9, 37)
NOW = datetime(2024, 3, 12, 10, tzinfo=UTC)
QUICK: dict[str, Any] = {
    "feature_step": STEP,
    "minimum_records": 200,
    "sequence_length": 8,
    "lead_times": ("15min",),
    "targets": ("ph_level", "air_temperature"),
    "recurrent": {"epochs": 1, "hidden_size": 8, "num_layers": 1, "batch_size": 256},
    "lightgbm": {"num_boost_round": 5},
}


def served_settings(make: Callable[..., Settings], **overrides: Any) -> Settings:
    return make(**{**QUICK, **overrides})


@cache
def readings() -> pl.DataFrame:
    """Two systems, nine days, with the faults of a greenhouse."""
    return simulate(2, END - timedelta(days=9), END, seed=5, cadence=STEP / 2, faults=Faults())


@cache
def feature_rows() -> pl.DataFrame:
    """The feature table of the farm."""
    spec = FeatureSpec.for_farm(Settings(**QUICK), readings().columns)
    systems = readings().sort("system_id").group_by(["system_id"], maintain_order=True)
    return pl.concat(features_of_system(part, spec, str(system)) for (system,), part in systems)


@cache
def served() -> ServingModels:
    """A GRU and a LightGBM of the farm; the LSTM is missing."""
    import torch

    from hydro_assets.training.train import train

    torch.set_num_threads(1)
    settings, rows = Settings(**QUICK), feature_rows()
    packages = {kind: train(kind, rows, settings).package for kind in ("gru", "lightgbm")}
    return ServingModels(packages, {"gru": "3", "lightgbm": "1"})
