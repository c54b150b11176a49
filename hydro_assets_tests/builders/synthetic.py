"""Small seeded farms for the tests of models and training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings

START = datetime(2024, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)


def synthetic_rows(
    steps: int = 1500, systems: tuple[str, ...] = ("a",), seed: int = 1, missing: tuple[int, int] | None = None
) -> pl.DataFrame:
    """Rows of a farm whose pH swings slowly around 6 under probe noise; steps of `missing` have no row."""
    draw = np.random.default_rng(seed)
    frames = []
    for number, system in enumerate(systems):
        t = np.arange(steps)
        ph = 6 + 0.3 * np.sin(t / 60 + number) + 0.02 * draw.normal(size=steps)
        tds = 1000 + 50 * np.sin(t / 90 + number) + draw.normal(size=steps)
        keep = np.ones(steps, bool)
        if missing is not None:
            keep[missing[0] : missing[1]] = False
        frames.append(
            pl.DataFrame(
                {
                    "system_id": [system] * steps,
                    "timestamp": [START + STEP * int(i) for i in t],
                    "ph_level": ph,
                    "tds_level": tds,
                    "air_humidity": 60 + draw.normal(size=steps),
                    "water_temperature": [20.0] * steps,
                    "is_env_optimal": ph < 6.1,
                }
            ).filter(pl.Series(keep))
        )
    return pl.concat(frames).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def quick(**changes: object) -> Settings:
    """Settings that train in a second."""
    small = {
        "recurrent": {"hidden_size": 8, "num_layers": 1, "epochs": 2, "batch_size": 128},
        "lightgbm": {"num_boost_round": 10, "num_leaves": 7},
        "sequence_length": 12,
    }
    return load_settings(**{**small, **changes})
