"""How good the probability of an optimal environment is."""

from __future__ import annotations

import numpy as np
import polars as pl

CLASSIFICATION_SCHEMA = pl.Schema(
    {
        "split": pl.String(),
        "horizon": pl.Int32(),
        "n": pl.Int64(),
        "positives": pl.Int64(),
        **{
            name: pl.Float64()
            for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "brier_climatology")
        },
    }
)


def classification_metrics(
    split: str, label: np.ndarray, probability: np.ndarray, horizons: tuple[int, ...]
) -> pl.DataFrame:
    """CLASSIFICATION_SCHEMA, one row per horizon; a score that one class cannot give is null.

    `brier_climatology` is the Brier score of always saying the share of this split: the floor.

    Args:
        label: [n, H] 0, 1 or NaN; probability: [n, H].
    """
    from sklearn import metrics as sk

    rows = []
    for j, horizon in enumerate(horizons):
        known = ~(np.isnan(label[:, j]) | np.isnan(probability[:, j]))
        y, p = label[known, j].astype(int), probability[known, j]
        if y.size == 0:
            continue
        said = p >= 0.5
        hits = int((said & (y == 1)).sum())
        both = 0 < y.sum() < y.size
        precision = hits / int(said.sum()) if said.any() else None
        recall = hits / int(y.sum()) if y.any() else None
        f1 = None if recall is None else 2 * hits / (int(said.sum()) + int(y.sum()))
        rows.append(
            {
                "split": split,
                "horizon": horizon,
                "n": int(y.size),
                "positives": int(y.sum()),
                "accuracy": float((said == y).mean()),
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "roc_auc": float(sk.roc_auc_score(y, p)) if both else None,
                "pr_auc": float(sk.average_precision_score(y, p)) if both else None,
                "brier": float(((p - y) ** 2).mean()),
                "brier_climatology": float(y.mean() * (1 - y.mean())),
            }
        )
    return pl.DataFrame(rows, schema=CLASSIFICATION_SCHEMA)
