"""The scoring rules hold for models as they are trained: no seam between tasks, none lost on the way to a worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.forecasting.package import ForecastPackage
from hydro_assets.scoring.members import look_back
from hydro_assets.scoring.score_system import score_system
from hydro_assets.scoring.shipping import Shipment
from hydro_assets_tests.builders.stand_ins import small_settings

START = datetime(2024, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
SETTINGS = small_settings(
    feature_step=STEP,
    max_gap="15min",
    sequence_length=6,
    minimum_records=200,
    recurrent={"epochs": 1, "hidden_size": 4, "num_layers": 1, "batch_size": 256},
    lightgbm={"num_boost_round": 5},
)
VERSIONS = {"gru": "1", "lightgbm": "1"}


def wandering(system: str, steps: int, seed: int, hole: tuple[int, int] = (0, 0)) -> pl.DataFrame:
    """A pH that wanders around 6; `hole` is left out."""
    noise = np.random.default_rng(seed).normal(size=steps) * 0.02
    ph = 6 + 0.1 * np.sin(np.arange(steps) / 30) + np.convolve(noise, 0.9 ** np.arange(30))[:steps]
    frame = pl.DataFrame(
        {
            "system_id": [system] * steps,
            "timestamp": [START + i * STEP for i in range(steps)],
            "ph_level": ph,
            "tds_level": 900 + 50 * np.cos(np.arange(steps) / 40),
            "is_env_optimal": ph < 6.05,
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    ).with_columns(date=pl.col("timestamp").dt.date())
    return pl.concat([frame[: hole[0]], frame[hole[1] :]])


FARM = [wandering("a", 900, 1, hole=(95, 100)), wandering("b", 900, 2, hole=(280, 600))]


@pytest.fixture(scope="module")
def packages() -> dict[str, ForecastPackage]:
    import torch

    from hydro_assets.training.train import train

    torch.set_num_threads(1)
    return {kind: train(kind, pl.concat(FARM), SETTINGS).package for kind in VERSIONS}


def score(frame: pl.DataFrame, packages: dict[str, ForecastPackage], start: datetime, end: datetime) -> pl.DataFrame:
    return score_system(frame, packages, VERSIONS, SETTINGS, start, end, START)


@pytest.mark.parametrize("system", FARM, ids=["short hole", "day-long gap"])
def test_tasks_with_their_look_back__give_what_the_whole_history_gives(
    system: pl.DataFrame, packages: dict[str, ForecastPackage]
) -> None:
    history = look_back(packages, SETTINGS)
    days = [START + timedelta(hours=12 * i) for i in range(8)]
    parts = [
        score(system.filter(pl.col("timestamp").is_between(day - history, end, closed="left")), packages, day, end)
        for day, end in pairwise(days)
    ]
    order = ["timestamp", "target", "horizon"]
    whole = score(system, packages, days[0], days[-1]).sort(order)
    found = pl.concat(parts).sort(order)
    assert found["prediction_quality"].equals(whole["prediction_quality"])
    for name in ("gru_prediction", "lightgbm_prediction", "ensemble_avg", "lower_95", "leaving_probability"):
        assert found[name].is_null().equals(whole[name].is_null())
        assert (found[name] - whole[name]).abs().max() < 1e-6, name  # type: ignore[operator]


def test_unseen_system_with_ten_readings__is_forecast_or_explained(packages: dict[str, ForecastPackage]) -> None:
    scored = score(wandering("new", 10, 3), packages, START, START + timedelta(days=1))
    scored = scored.filter(target="ph_level")
    assert scored.height == 20
    assert scored["ensemble_avg"].null_count() == 0
    assert scored["prediction_quality"].to_list()[:2] == ["fallback"] * 2
    assert (scored["ensemble_avg"] - 6).abs().max() < 1  # type: ignore[operator]


def test_shipped_model__predicts_what_the_original_predicts(packages: dict[str, ForecastPackage]) -> None:
    arrived = {kind: Shipment.of(package).unpack() for kind, package in packages.items()}
    end = START + timedelta(days=1)
    assert score(FARM[0], arrived, START, end).equals(score(FARM[0], packages, START, end))


def test_shipped_model__is_unpacked_once_per_process(packages: dict[str, ForecastPackage]) -> None:
    first, second = (Shipment.of(packages["gru"]) for _ in range(2))
    assert first.digest == second.digest != Shipment.of(packages["lightgbm"]).digest
    assert first.unpack() is second.unpack()


def test_damaged_shipment__is_refused(packages: dict[str, ForecastPackage]) -> None:
    whole = Shipment.of(packages["gru"])
    damaged = Shipment(whole.loader, {**whole.files, "weights.pt": whole.files["weights.pt"][:100]}, "damaged")
    with pytest.raises(ModelUnavailableError):
        damaged.unpack()
