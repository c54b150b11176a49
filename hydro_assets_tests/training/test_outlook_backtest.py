import numpy as np
import polars as pl
import pytest

from hydro_assets.training.backtest import Farm, backtest
from hydro_assets.training.outlook_backtest import minutes_table, probability_table, reliability_table
from hydro_assets_tests.builders.synthetic import quick, synthetic_rows


def rows(probability: list[float], left: list[float | None], foreseen: list[float | None], actual: list[float | None]):
    n = len(probability)
    return pl.DataFrame(
        {
            "farm": ["f"] * n,
            "target": ["ph_level"] * n,
            "lead_minutes": [60.0] * n,
            "probability": probability,
            "left": left,
            "foreseen_minutes": foreseen,
            "actual_minutes": actual,
        },
        schema_overrides={"foreseen_minutes": pl.Float64, "actual_minutes": pl.Float64},
    )


def test_minutes__count_hits_beside_what_left_unforeseen() -> None:
    made = rows([0.9, 0.9, 0.1, 0.1, 0.1], [1, 0, 1, 0, None], [20, 20, None, None, None], [50, 90, 30, None, None])
    (row,) = minutes_table(made).iter_rows(named=True)
    assert (row["n"], row["n_foreseen"]) == (4, 2)  # the path of the last row is not known
    assert (row["hit_rate"], row["missed_rate"], row["in_time"]) == (0.5, 0.5, 0.0)
    assert row["median_error"] == 30


def test_probability__is_held_against_the_share_that_left_per_decile() -> None:
    draw = np.random.default_rng(0)
    p = np.repeat([0.05, 0.95], 400)
    left = (draw.random(800) < np.repeat([0.05, 0.55], 400)).astype(float)
    nothing: list[float | None] = [None] * 800
    made = rows(p.tolist(), left.tolist(), nothing, nothing)
    (row,) = probability_table(made).iter_rows(named=True)
    assert row["worst_gap"] == pytest.approx(0.4, abs=0.06)
    assert reliability_table(made)["decile"].to_list() == [0, 9]


def test_tables__without_a_band_are_empty() -> None:
    none = rows([], [], [], [])
    assert [t(none).height for t in (probability_table, reliability_table, minutes_table)] == [0, 0, 0]


def test_backtest__measures_the_outlook_of_a_swing_that_leaves_its_band() -> None:
    # the pH of the synthetic farm swings from 5.7 to 6.3 in six hours: it leaves a band up to 6.2 each time
    settings = quick(lead_times=["30min"], targets=["ph_level"], crop={"ph_level": {"low": 5.0, "high": 6.2}})
    result = backtest([Farm("f", synthetic_rows(3000), settings)], ["lightgbm"])
    row = result.leaving.filter(lead_minutes=30).row(0, named=True)
    assert row["brier"] < 0.5 * row["brier_climatology"]
    (foreseen,) = result.minutes.iter_rows(named=True)
    assert foreseen["hit_rate"] > 0.8 > 0.2 > foreseen["missed_rate"]
    told = result.to_json()
    assert {r["farm"] for r in told["leaving_reliability"]} == {"f"}
