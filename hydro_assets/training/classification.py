"""How good the probability of a state is, each score with a block-bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hydro_assets.training.bootstrap import BlockBootstrap, ratio, score_columns, with_bounds
from hydro_assets.training.outcomes import Outcomes

SCORES = ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "brier_climatology")
CLASSIFICATION_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "label": pl.String(),
        "horizon": pl.Int32(),
        "system_id": pl.String(),
        "n": pl.Int64(),
        "positives": pl.Int64(),
        **score_columns(SCORES),
    }
)


def classification_metrics(
    split: str, outcomes: Outcomes, labels: Sequence[str], horizons: Sequence[int], seed: int
) -> pl.DataFrame:
    """CLASSIFICATION_SCHEMA for every label, horizon and system (and `all`); what one class cannot give is null.

    The state is predicted at a probability of 0.5 or more. `pr_auc` is the average precision. `brier_climatology` is
    the Brier score of always saying the share of these rows.
    """
    rows = []
    for i, label in enumerate(labels):
        for j, horizon in enumerate(horizons):
            known = ~np.isnan(outcomes.state[:, i, j] + outcomes.probability[:, i, j])
            for systems, mine in outcomes.groups():
                use = known & mine
                if not use.any():
                    continue
                state, probability = outcomes.state[use, i, j], outcomes.probability[use, i, j]
                blocks = BlockBootstrap.of(outcomes.times[use], horizon, seed)
                positives = int(state.sum())
                key = {"split": split, "label": label, "horizon": horizon, "n": state.size, "positives": positives}
                row = {**key, **with_bounds(_scores(state, probability, blocks))}
                rows += [{**row, "system_id": system} for system in systems]
    return pl.DataFrame(rows, schema=CLASSIFICATION_SCHEMA)


def class_notes(labels: Sequence[str], outcomes: Mapping[str, Outcomes]) -> list[str]:
    """How unequal the classes are. They are learned from as they are, so that probabilities stay probabilities."""
    notes = []
    for i, label in enumerate(labels):
        states = {part: o.state[:, i] for part, o in outcomes.items()}
        shares = {part: np.nanmean(state) for part, state in states.items() if not np.isnan(state).all()}
        stated = ", ".join(f"{100 * share:.3g} % of {part}" for part, share in shares.items())
        notes.append(f"{label} holds in {stated}; no class weighs more")
        if shares.get("validation") in (None, 0.0, 1.0):
            notes.append(f"validation holds one class of {label}: its probability could not be calibrated")
    return notes


def _scores(state: np.ndarray, probability: np.ndarray, blocks: BlockBootstrap) -> dict[str, np.ndarray]:
    """[R] results of `SCORES`."""
    positive = probability >= 0.5
    hit, predicted, actual = (blocks.means(part) for part in (state * positive, positive.astype(float), state))
    roc_auc, pr_auc = _ranking(state, probability, blocks)
    return {
        "accuracy": blocks.means((positive == state).astype(float)),
        "precision": ratio(hit, predicted),
        "recall": ratio(hit, actual),
        "f1": np.where(actual > 0, ratio(2 * hit, predicted + actual), np.nan),
        "roc_auc": roc_auc,
        "pr_auc": pr_auc,
        "brier": blocks.means((probability - state) ** 2),
        "brier_climatology": actual * (1 - actual),
    }


def _ranking(state: np.ndarray, probability: np.ndarray, blocks: BlockBootstrap) -> tuple[np.ndarray, np.ndarray]:
    """[R] area under the ROC curve and [R] average precision, exact: one sort serves all resamples."""
    order = np.argsort(-probability, kind="stable")
    level = np.flatnonzero(np.diff(probability[order], append=np.nan) != 0)  # last rows of equal probabilities
    actual = state[order].astype(np.int64)
    roc_auc, pr_auc = [], []
    for weights in blocks.weights(order):  # [b, n]
        predicted = np.take(np.cumsum(weights, axis=1), level, axis=1)  # [b, n] -> [b, levels], this level or above
        hits = np.take(np.cumsum(weights * actual, axis=1), level, axis=1)
        misses, positive = predicted - hits, np.diff(hits, axis=1, prepend=0)
        negative = np.diff(misses, axis=1, prepend=0)
        lost = (positive * (misses - negative / 2)).sum(axis=1)  # pairs whose negative row is ranked higher
        precise = (positive * (hits / np.maximum(predicted, 1))).sum(axis=1)
        roc_auc.append(1 - ratio(lost, hits[:, -1] * misses[:, -1]))
        pr_auc.append(np.where(misses[:, -1] > 0, ratio(precise, hits[:, -1]), np.nan))
    return np.concatenate(roc_auc), np.concatenate(pr_auc)
