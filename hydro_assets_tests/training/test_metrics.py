from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.forecasting.learner import Task
from hydro_assets.training.metrics import METRICS_SCHEMA, SCORES, coverage_notes, forecast_metrics
from hydro_assets.training.outcomes import Outcomes

SYSTEMS = ["a", "a", "b", "b"]
TASK = Task.of(("ph_level",), (15,), 12, timedelta(minutes=1), timedelta(minutes=5))
ACTUAL = [5.0, 6.0, 7.0, np.nan]


def outcomes(
    model: list[float],
    actual: list[float] = ACTUAL,
    systems: list[str] = SYSTEMS,
    half: tuple[float, float] = (0.2, 0.4),
) -> Outcomes:
    """One horizon; persistence is off by 0.2, the short mean by 0.4."""
    came = np.array(actual)[:, None, None]
    n = len(actual)
    off = {"persistence": 0.2, "short_mean": 0.4, "same_time_yesterday": 0.8}
    forecasts = {name: came + by for name, by in off.items()} | {"lstm": np.array(model)[:, None, None]}
    none = np.empty((n, 0, 1))
    half_width = np.array(half)[:, None, None, None] * np.ones((1, n, 1, 1))
    return Outcomes(np.arange(n), np.array(systems, object), came, forecasts, half_width, none, none)


def measured(*args: list, **kwargs: object) -> pl.DataFrame:
    known = outcomes(*args, **kwargs)  # type: ignore[arg-type]
    return forecast_metrics("holdout", known, TASK, {"ph_level": ("persistence",)}, seed=1)


def test_forecast_metrics__are_in_the_targets_unit_and_against_the_baseline() -> None:
    table = measured([5.1, 6.1, 7.1, 9.9])
    assert table.schema == METRICS_SCHEMA
    row = table.filter(model="lstm", system_id="all").row(0, named=True)
    assert row["n"] == 3
    assert row["mae"] == pytest.approx(0.1)
    assert row["rmse"] == pytest.approx(0.1)
    assert row["bias"] == pytest.approx(0.1)
    assert row["mape"] == pytest.approx(100 * (0.1 / 5 + 0.1 / 6 + 0.1 / 7) / 3)
    assert (row["target"], row["baseline"]) == ("ph_level", "persistence")
    assert row["skill"] == pytest.approx(0.5)
    assert row["r2"] == pytest.approx(1 - 0.03 / 2)


def test_forecast_metrics__measure_all_models_on_the_same_rows() -> None:
    table = measured([5.1, np.nan, 7.1, 9.9])
    assert set(table.filter(system_id="all")["n"]) == {2}
    assert set(table.filter(system_id="b")["n"]) == {1}


def test_forecast_metrics__of_one_system_are_those_of_all() -> None:
    table = measured([5.1, 6.1, 7.1, 9.9], systems=["a"] * 4)
    assert set(table["system_id"]) == {"all", "a"}
    one, everyone = (table.filter(system_id=name).drop("system_id") for name in ("a", "all"))
    assert one.equals(everyone)


def test_every_score__has_an_interval_that_holds_it() -> None:
    draw = np.random.default_rng(0)
    actual = 6 + draw.normal(size=400)
    table = measured(list(actual + 0.3 * draw.normal(size=400)), actual=list(actual), systems=["a"] * 200 + ["b"] * 200)
    row = table.filter(model="lstm", system_id="all").row(0, named=True)
    for score in SCORES:
        assert row[f"{score}_low"] < row[score] < row[f"{score}_high"], score


def test_skill__of_a_constantly_better_model_is_certain_although_its_error_is_not() -> None:
    draw = np.random.default_rng(0)
    came = np.cumsum(draw.normal(size=300))
    error = draw.normal(size=300)
    known = outcomes(list(came), actual=list(came), systems=["a"] * 300)
    at = came[:, None, None]
    known.forecasts.update({"persistence": at + error[:, None, None], "lstm": at + error[:, None, None] / 2})
    row = (
        forecast_metrics("holdout", known, TASK, {"ph_level": ("persistence",)}, seed=1)
        .filter(model="lstm")
        .row(0, named=True)
    )
    assert row["mae_high"] - row["mae_low"] > 0.02
    assert row["skill_low"] == pytest.approx(row["skill_high"]) == pytest.approx(0.5)


def test_forecast_metrics__give_no_percentage_where_the_actual_is_zero() -> None:
    table = measured([0.0, 1.0], actual=[0.0, 1.0], systems=["a", "a"])
    assert table["mape"].null_count() == table["mape_low"].null_count() == table.height > 0


@pytest.mark.parametrize("level", [6.1, 0.1, 1e5])
def test_r2__of_a_constant_actual_is_null(level: float) -> None:
    table = measured([level + 0.1] * 30, actual=[level] * 30, systems=["a"] * 30)
    assert table.select("r2", "r2_low", "r2_high").null_count().row(0) == (table.height,) * 3


def test_coverage__is_the_share_of_actuals_inside_the_interval_of_the_model() -> None:
    table = measured([5.1, 6.3, 7.5, 9.9])
    row = table.filter(model="lstm", system_id="all").row(0, named=True)
    assert row["coverage_80"] == pytest.approx(1 / 3)
    assert row["coverage_95"] == pytest.approx(2 / 3)
    assert table.filter(model="persistence")["coverage_80"].null_count() == 3


def test_coverage__without_an_interval_is_null() -> None:
    table = measured([5.1, 6.3, 7.5, 9.9], half=(np.nan, np.nan))
    assert table["coverage_80"].null_count() == table.height


def test_coverage_notes__tell_of_an_interval_that_the_holdout_refutes() -> None:
    draw = np.random.default_rng(0)
    actual = [6.0] * 400
    errors = draw.normal(0, 0.1, 400)
    table = measured(list(6 + errors), actual=actual, systems=["a"] * 400, half=(0.05, 0.3))
    (note,) = coverage_notes(table)
    assert note.startswith("ph_level 15 steps ahead: the 80 % interval held ")
    assert note.endswith(" % of the holdout, it is too narrow")
    fitting = measured(list(6 + errors), actual=actual, systems=["a"] * 400, half=(0.13, 0.3))
    assert coverage_notes(fitting) == []
