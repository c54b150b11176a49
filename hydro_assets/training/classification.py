"""How good the probability of an optimal environment is, each score with a block-bootstrap interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from hydro_assets.training.bootstrap import BlockBootstrap, ratio, score_columns, with_bounds
from hydro_assets.training.outcomes import Outcomes

SCORES = ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "brier_climatology")
CLASSIFICATION_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "horizon": pl.Int32(),
        "system_id": pl.String(),
        "n": pl.Int64(),
        "positives": pl.Int64(),
        **score_columns(SCORES),
    }
)


def classification_metrics(split: str, outcomes: Outcomes, horizons: tuple[int, ...], seed: int) -> pl.DataFrame:
    """CLASSIFICATION_SCHEMA for every horizon and system (and `all` together); what one class cannot give is null.

    Optimal is said at a probability of 0.5 or more. `pr_auc` is the average precision. `brier_climatology` is the Brier
    score of always saying the share of these rows: the floor.
    """
    rows = []
    for j, horizon in enumerate(horizons):
        known = ~np.isnan(outcomes.optimal[:, j] + outcomes.probability[:, j])
        for systems, mine in outcomes.groups():
            use = known & mine
            if not use.any():
                continue
            label, probability = outcomes.optimal[use, j], outcomes.probability[use, j]
            blocks = BlockBootstrap.of(outcomes.times[use], horizon, seed)
            key = {"split": split, "horizon": horizon, "n": label.size, "positives": int(label.sum())}
            row = {**key, **with_bounds(_scores(label, probability, blocks))}
            rows += [{**row, "system_id": system} for system in systems]
    return pl.DataFrame(rows, schema=CLASSIFICATION_SCHEMA)


def class_notes(label: np.ndarray, parts: Mapping[str, np.ndarray]) -> list[str]:
    """How unequal the classes are; label: [R, H], parts: row numbers. They are learned from as they are."""
    shares = {part: np.nanmean(label[rows]) for part, rows in parts.items() if not np.isnan(label[rows]).all()}
    stated = ", ".join(f"{100 * share:.3g} % of {part}" for part, share in shares.items())
    notes = [f"the environment is optimal in {stated}; no class weighs more, so that probabilities stay probabilities"]
    if shares.get("validation") in (None, 0.0, 1.0):
        notes.append("validation holds one class of environment: the probability could not be calibrated")
    return notes


def _scores(label: np.ndarray, probability: np.ndarray, blocks: BlockBootstrap) -> dict[str, np.ndarray]:
    """[R] results of `SCORES`."""
    positive = probability >= 0.5
    hit, said, came = (blocks.means(part) for part in (label * positive, positive.astype(float), label))
    roc_auc, pr_auc = _ranking(label, probability, blocks)
    return {
        "accuracy": blocks.means((positive == label).astype(float)),
        "precision": ratio(hit, said),
        "recall": ratio(hit, came),
        "f1": np.where(came > 0, ratio(2 * hit, said + came), np.nan),
        "roc_auc": roc_auc,
        "pr_auc": pr_auc,
        "brier": blocks.means((probability - label) ** 2),
        "brier_climatology": came * (1 - came),
    }


def _ranking(label: np.ndarray, probability: np.ndarray, blocks: BlockBootstrap) -> tuple[np.ndarray, np.ndarray]:
    """[R] area under the ROC curve and [R] average precision, exact: one sort serves all resamples."""
    order = np.argsort(-probability, kind="stable")
    level = np.flatnonzero(np.diff(probability[order], append=np.nan) != 0)  # last rows of equal probabilities
    came = label[order].astype(np.int64)
    roc_auc, pr_auc = [], []
    for weights in blocks.weights(order):  # [b, n]
        said = np.take(np.cumsum(weights, axis=1), level, axis=1)  # [b, n] -> [b, levels], this level or above
        hits = np.take(np.cumsum(weights * came, axis=1), level, axis=1)
        misses, positive = said - hits, np.diff(hits, axis=1, prepend=0)
        negative = np.diff(misses, axis=1, prepend=0)
        lost = (positive * (misses - negative / 2)).sum(axis=1)  # pairs whose negative row is ranked higher
        precise = (positive * (hits / np.maximum(said, 1))).sum(axis=1)
        roc_auc.append(1 - ratio(lost, hits[:, -1] * misses[:, -1]))
        pr_auc.append(np.where(misses[:, -1] > 0, ratio(precise, hits[:, -1]), np.nan))
    return np.concatenate(roc_auc), np.concatenate(pr_auc)
