import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference

from hydro_assets.training.bootstrap import BlockBootstrap
from hydro_assets.training.classification import (
    CLASSIFICATION_SCHEMA,
    SCORES,
    _ranking,
    class_notes,
    classification_metrics,
)
from hydro_assets.training.outcomes import Outcomes


def measured(label: list[float], probability: list[float], systems: list[str] | None = None) -> pl.DataFrame:
    return classification_metrics("holdout", outcomes(label, probability, systems), ["is_env_optimal"], (1,), seed=1)


def outcomes(label: list[float], probability: list[float], systems: list[str] | None = None) -> Outcomes:
    n = len(label)
    came, said = np.array(label, float)[:, None, None], np.array(probability)[:, None, None]
    names = np.array(systems or ["a"] * n, object)
    none = np.empty((n, 0, 1))
    return Outcomes(np.arange(n), names, none, {}, np.empty((0, n, 0, 1)), came, said)


def noisy(n: int = 300) -> tuple[list[float], list[float]]:
    draw = np.random.default_rng(0)
    probability = draw.random(n).round(2)  # with ties
    return list((draw.random(n) < probability).astype(float)), list(probability)


def test_classification_metrics__of_a_perfect_probability() -> None:
    row = measured([1, 0, 1, np.nan], [0.9, 0.1, 0.8, 0.5]).row(0, named=True)
    assert (row["n"], row["positives"]) == (3, 2)
    assert row["f1"] == row["roc_auc"] == row["pr_auc"] == row["accuracy"] == 1
    assert row["brier"] == pytest.approx((0.01 + 0.01 + 0.04) / 3)


def test_classification_metrics__of_one_class_give_no_fake_score() -> None:
    row = measured([0] * 4, [0.0] * 4).row(0, named=True)
    assert row["accuracy"] == 1
    undefined = ("precision", "recall", "f1", "roc_auc", "pr_auc")
    assert all(row[f"{name}{bound}"] is None for name in undefined for bound in ("", "_low", "_high"))


def test_classification_metrics__are_those_of_scikit_learn() -> None:
    label, probability = noisy()
    said = np.array(probability) >= 0.5
    row = measured(label, probability).row(0, named=True)
    assert row["accuracy"] == pytest.approx(reference.accuracy_score(label, said))
    assert row["precision"] == pytest.approx(reference.precision_score(label, said))
    assert row["recall"] == pytest.approx(reference.recall_score(label, said))
    assert row["f1"] == pytest.approx(reference.f1_score(label, said))
    assert row["roc_auc"] == pytest.approx(reference.roc_auc_score(label, probability))
    assert row["pr_auc"] == pytest.approx(reference.average_precision_score(label, probability))
    assert row["brier"] == pytest.approx(reference.brier_score_loss(label, probability))


def test_ranking_scores__of_every_resample_are_those_of_scikit_learn() -> None:
    label, probability = map(np.array, noisy())
    blocks = BlockBootstrap.of(np.arange(label.size) // 2, 5, seed=1)
    roc_auc, pr_auc = _ranking(label, probability, blocks)
    weights = np.concatenate(list(blocks.weights(np.arange(label.size))))
    for r in (0, 1, 77, 200):
        weighted = {"sample_weight": weights[r]}
        assert roc_auc[r] == pytest.approx(reference.roc_auc_score(label, probability, **weighted))
        assert pr_auc[r] == pytest.approx(reference.average_precision_score(label, probability, **weighted))


def test_every_score__has_an_interval_that_holds_it() -> None:
    table = measured(*noisy(), systems=["a", "b"] * 150)
    assert table.schema == CLASSIFICATION_SCHEMA
    assert table["system_id"].to_list() == ["all", "a", "b"]
    row = table.row(0, named=True)
    for score in SCORES:
        assert row[f"{score}_low"] < row[score] < row[f"{score}_high"], score


def test_interval__of_scores_that_few_resamples_have_is_null() -> None:
    row = measured([0.0] * 400 + [1.0], [0.1] * 400 + [0.9]).row(0, named=True)
    assert row["roc_auc"] == 1
    assert row["roc_auc_low"] is None
    assert row["accuracy_low"] == 1


def test_class_notes__state_the_shares_and_what_could_not_be_calibrated() -> None:
    parts = {"train": [1.0, 0, 0, 0], "validation": [np.nan, 0], "holdout": [np.nan]}
    made = {part: outcomes(state, [0.5] * len(state)) for part, state in parts.items()}
    shares, calibration = class_notes(["is_env_optimal"], made)
    assert shares.startswith("is_env_optimal holds in 25 % of train, 0 % of validation;")
    assert "could not be calibrated" in calibration
