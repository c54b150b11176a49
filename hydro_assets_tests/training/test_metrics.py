import numpy as np
import pytest

from hydro_assets.training.classification import classification_metrics
from hydro_assets.training.metrics import METRICS_SCHEMA, block_bootstrap, forecast_metrics

SYSTEMS = np.array(["a", "a", "b", "b"])
TRUTH = np.array([[5.0], [6.0], [7.0], [np.nan]])


def measured(model: list[float]) -> dict[str, np.ndarray]:
    return {"persistence": TRUTH + 0.2, "short_mean": TRUTH + 0.4, "lstm": np.array(model)[:, None]}


def test_forecast_metrics__are_in_the_targets_unit_and_against_both_baselines() -> None:
    table = forecast_metrics("holdout", TRUTH, measured([5.1, 6.1, 7.1, 9.9]), (15,), SYSTEMS, seed=1)
    assert table.schema == METRICS_SCHEMA
    row = table.filter(model="lstm", system_id="all").row(0, named=True)
    assert row["n"] == 3
    assert row["mae"] == pytest.approx(0.1)
    assert row["bias"] == pytest.approx(0.1)
    assert row["skill_persistence"] == pytest.approx(0.5)
    assert row["skill_short_mean"] == pytest.approx(0.75)
    assert row["r2"] == pytest.approx(1 - 0.03 / 2)


def test_forecast_metrics__measure_all_models_on_the_same_rows() -> None:
    table = forecast_metrics("holdout", TRUTH, measured([5.1, np.nan, 7.1, 9.9]), (15,), SYSTEMS, seed=1)
    assert set(table.filter(system_id="all")["n"]) == {2}
    assert set(table.filter(system_id="b")["n"]) == {1}


def test_forecast_metrics__give_no_percentage_where_the_truth_is_zero() -> None:
    truth = np.array([[0.0], [1.0]])
    table = forecast_metrics("holdout", truth, {"persistence": truth, "short_mean": truth}, (1,), SYSTEMS[:2], seed=1)
    assert table["mape"].null_count() == table.height > 0


def test_block_bootstrap__holds_the_mean_and_widens_with_dependence() -> None:
    draw = np.random.default_rng(0)
    independent = draw.random(2000)
    dependent = np.repeat(draw.random(20), 100)
    low, high = block_bootstrap(independent, 1, seed=1)
    assert low < independent.mean() < high
    wide = block_bootstrap(dependent, 100, seed=1)
    assert wide[1] - wide[0] > 5 * (high - low)


def test_classification_metrics__of_a_perfect_probability() -> None:
    label = np.array([[1.0], [0], [1], [np.nan]])
    row = classification_metrics("holdout", label, np.array([[0.9], [0.1], [0.8], [0.5]]), (1,)).row(0, named=True)
    assert (row["n"], row["positives"]) == (3, 2)
    assert row["f1"] == row["roc_auc"] == row["accuracy"] == 1
    assert row["brier"] == pytest.approx((0.01 + 0.01 + 0.04) / 3)


def test_classification_metrics__of_one_class_give_no_fake_score() -> None:
    label = np.zeros((4, 1))
    row = classification_metrics("holdout", label, np.zeros((4, 1)), (1,)).row(0, named=True)
    assert row["accuracy"] == 1
    assert all(row[name] is None for name in ("precision", "recall", "f1", "roc_auc", "pr_auc"))
