"""The model card: what a version was trained on, how well it forecasts beside the baselines, where it must not be used.

Sections follow Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.registry.tracking import Provenance
from hydro_assets.training.bootstrap import interval_text
from hydro_assets.training.metrics import COVERAGES

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import PackageInfo

_KEY = ("split", "model", "horizon", "n")
_ERRORS = ("mae", "rmse", "bias", "skill_persistence", "skill_short_mean")


def model_card(
    info: PackageInfo,
    metrics: pl.DataFrame,
    provenance: Provenance,
    name: str,
    version: str | None = None,
    classification: pl.DataFrame | None = None,
) -> str:
    """Markdown card of one trained model; the same text is the MLflow artifact and the asset's metadata.

    Args:
        metrics, classification: of `TrainingResult`; errors in the target's unit. Rows learned from are left out.
        name: registered model.
        version: registered version, when it is known.
    """
    step = duration_text(timedelta(seconds=info.step_seconds))
    unit = f" ({info.unit})" if info.unit else ""
    horizons = ", ".join(f"{h} = {duration_text(timedelta(seconds=h * info.step_seconds))}" for h in info.horizons)
    errors = _pooled(metrics).sort("split", "horizon", "model")
    intervals = errors.filter(pl.col("model") == info.kind)
    parts = [
        f"# {name}{'' if version is None else f' version {version}'}",
        f"Forecasts `{info.target_col}`{unit} with a {info.kind} model on a {step} grid, "
        f"{info.sequence_length} steps of history, horizons in steps: {horizons}.",
        "## Data",
        _list(_data(info, provenance)),
        "## Errors",
        f"In the unit of the target{unit}, in brackets 95 % bootstrap intervals; skill 0 is as good as the baseline, "
        "1 is perfect.",
        _table(errors.select(*_KEY, *_ERRORS)),
    ]
    if not intervals.is_empty():
        parts += [
            "## Prediction intervals",
            "Share of the truths inside. Validation rows set the widths; the holdout tests them.",
            _table(intervals.select(*_KEY, *COVERAGES)),
        ]
    if classification is not None and not classification.is_empty():
        parts += ["## Probability that the environment is optimal", _table(_pooled(classification).drop("system_id"))]
    parts += [
        "## Limits",
        _list(
            [
                *info.notes,
                f"fits feature rows on a {step} grid only; segments end at gaps over "
                f"{duration_text(timedelta(seconds=info.gap_limit_seconds))}",
                "learned from the systems above: another system gets a forecast, with errors that were not measured",
                "not a controller: dose by measurement, use the forecast to look ahead",
            ]
        ),
        "## Lineage",
        _list(f"{key}: `{value}`" for key, value in provenance.tags().items()),
        "## Use",
        "```python\nimport mlflow\n\n"
        f'model = mlflow.pyfunc.load_model("models:/{name}/{version or "VERSION"}")\n'
        "forecasts = model.predict(feature_rows)  # pandas rows of sensor_features with history, naive UTC timestamps\n"
        "```",
    ]
    return "\n\n".join(parts) + "\n"


def _data(info: PackageInfo, provenance: Provenance) -> list[str]:
    read = ", ".join(f"{table} version {version}" for table, version in info.data.versions.items())
    parts = ("train", "validation", "holdout")
    periods = [
        f"{part}: {info.split[f'{part}_start']} to {info.split[f'{part}_end']}"
        for part in parts
        if f"{part}_start" in info.split
    ]
    return [
        f"trained {provenance.trained_at:%Y-%m-%d %H:%M %Z} on {info.train_rows} rows of {', '.join(info.systems)}",
        *([f"read from {read}"] if read else []),
        *periods,
        f"{info.target_col} in training: {info.target_low:.4g} to {info.target_high:.4g} {info.unit}".rstrip(),
        f"{len(info.features)} features: {', '.join(info.features)}",
    ]


def _pooled(table: pl.DataFrame) -> pl.DataFrame:
    """All systems together on rows that were not learned from, with intervals as text."""
    return interval_text(table.filter(pl.col("system_id") == "all", pl.col("split") != "train"))


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(frame: pl.DataFrame) -> str:
    rows = [frame.columns, ["---"] * frame.width, *frame.iter_rows()]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
