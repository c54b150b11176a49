from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from hydro_assets.setting_groups import Band
from hydro_assets.training.fit_leaving import fit_leaving, leaving_scores, path_left_band, reliability_rows

START = datetime(2024, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)
BAND = Band(low=5.5, high=6.5)


def rows(ph: list[float | None], minutes: list[int] | None = None, system: str = "a") -> pl.DataFrame:
    minutes = list(range(len(ph))) if minutes is None else minutes
    return pl.DataFrame(
        {"system_id": [system] * len(ph), "timestamp": [START + m * STEP for m in minutes], "ph_level": ph},
        schema={"system_id": pl.String, "timestamp": pl.Datetime("us", "UTC"), "ph_level": pl.Float64},
    )


@pytest.mark.parametrize(
    ("ph", "minutes", "expected"),
    [
        pytest.param([6.0, 6.0, 6.0, 6.0], None, [False, False, None, None], id="stays, and the end is not known"),
        pytest.param([6.0, 6.6, 6.0, 6.0], None, [True, False, None, None], id="out on the way and back again"),
        pytest.param([6.0, 6.0, 6.6], None, [True, True, None], id="known to have left before the path ends"),
        pytest.param([6.0, None, 6.0, 6.0], None, [False, False, None, None], id="half of the path is enough"),
        pytest.param([6.0, 6.0], [0, 5], [None, None], id="nothing was measured on the way"),
        pytest.param([6.6, 6.0, 6.0, 6.0], None, [False, False, None, None], id="outside at the start is not the path"),
    ],
)
def test_path__counts_every_step_behind_the_origin(
    ph: list[float | None], minutes: list[int] | None, expected: list[bool | None]
) -> None:
    found = path_left_band(rows(ph, minutes), "ph_level", BAND, [2], STEP)
    assert found["left"].to_list() == expected


def test_path__does_not_run_from_one_system_into_another() -> None:
    both = pl.concat([rows([6.0, 6.0, 6.0], system="a"), rows([6.6, 6.6, 6.6], system="b")])
    assert path_left_band(both, "ph_level", BAND, [2], STEP).filter(system_id="a")["left"].to_list() == [
        False,
        None,
        None,
    ]


class Persistent:
    """Forecasts the present value, and thinks that it is right to 0.05."""

    def __init__(self, holdout: datetime) -> None:
        self.info: Any = SimpleNamespace(
            target_names=("ph_level",), horizons=(30,), step=STEP, split={"holdout_start": holdout.isoformat()}
        )

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        value = pl.col("ph_level")
        return frame.select(
            "system_id",
            "timestamp",
            target=pl.lit("ph_level"),
            horizon=pl.lit(30, pl.Int32),
            prediction=value,
            lower_80=value - 0.05,
            upper_80=value + 0.05,
        )


def wandering(days: int, seed: int = 3) -> pl.DataFrame:
    """A pH that is drawn back to 6.2 and wanders over the upper edge now and then."""
    random, ph = np.random.default_rng(seed), [6.2]
    for _ in range(days * 1440 - 1):
        ph.append(ph[-1] + 0.01 * (6.2 - ph[-1]) + random.normal(0, 0.02))
    return rows(ph)


def test_probability__is_calibrated_where_nobody_has_learned() -> None:
    features, holdout = wandering(20), START + timedelta(days=10)
    fitted = fit_leaving(Persistent(holdout), features, {"ph_level": BAND}, holdout)  # type: ignore[arg-type]
    deciles = fitted.reliability.filter(split="holdout")
    assert deciles.height >= 5
    gaps = (deciles["mean_probability"] - deciles["event_share"]).abs()
    assert (gaps * deciles["n"]).sum() / deciles["n"].sum() < 0.05
    scores = fitted.metrics.filter(split="holdout").row(0, named=True)
    assert scores["brier"] < 0.8 * scores["brier_climatology"]
    assert scores["hit_rate"] > 0.5


def test_fit__of_rows_without_an_event_says_little_and_not_never() -> None:
    features, holdout = rows([6.0] * 2000), START + timedelta(minutes=1000)
    fitted = fit_leaving(Persistent(holdout), features, {"ph_level": BAND}, holdout)  # type: ignore[arg-type]
    said = fitted.metrics.filter(split="holdout")["mean_probability"].item()
    assert 0 < said < 0.01


def test_target_without_a_band__has_nothing_to_leave() -> None:
    fitted = fit_leaving(Persistent(START), rows([6.0] * 100), {}, START)  # type: ignore[arg-type]
    assert fitted.calibrations == ()
    assert fitted.metrics.is_empty()


def test_hit_rate__is_of_what_was_foreseen() -> None:
    scores = leaving_scores(np.array([0.9, 0.6, 0.2, 0.1]), np.array([1.0, 0.0, 1.0, 0.0]))
    assert (scores["n_foreseen"], scores["hit_rate"], scores["share_foreseen"]) == (2, 0.5, 0.5)
    assert scores["brier"] == pytest.approx((0.01 + 0.36 + 0.64 + 0.01) / 4)


def test_reliability__shows_deciles_that_hold_enough_rows() -> None:
    found = reliability_rows(np.repeat([0.05, 0.95, 0.5], [60, 60, 10]), np.repeat([0.0, 1.0, 1.0], [60, 60, 10]))
    assert [(row["decile"], row["n"], row["event_share"]) for row in found] == [(0, 60, 0.0), (9, 60, 1.0)]
