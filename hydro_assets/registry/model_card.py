"""The model card: what a version was trained on, how well it forecasts beside the baselines, where it must not be used.

Sections follow Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.registry.tracking import Provenance

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import PackageInfo

_KEY = ("split", "target", "horizon", "model", "n")
_ERRORS = ("mae", "rmse", "bias", "baseline", "skill")


def model_card(
    info: PackageInfo,
    metrics: pl.DataFrame,
    provenance: Provenance,
    name: str,
    version: str | None = None,
    classification: pl.DataFrame | None = None,
    leaving: pl.DataFrame | None = None,
) -> str:
    """Markdown card of one trained model; the same text is the MLflow artifact and the asset's metadata.

    Args:
        metrics, classification, leaving: of `Trained`; errors in the targets' units. Rows learned from are left out.
        name: registered model.
        version: registered version, when it is known.
    """
    step = duration_text(info.step)
    horizons = ", ".join(f"{h} = {duration_text(h * info.step)}" for h in info.horizons)
    targets = ", ".join(f"`{t.name}`{f' ({t.unit})' if t.unit else ''}" for t in info.targets)
    labels = f", and the probability of {', '.join(f'`{label}`' for label in info.labels)}," if info.labels else ""
    errors = _pooled(metrics).sort("split", "target", "horizon", "model")
    intervals = errors.filter(pl.col("model") == info.kind)
    coverages = [c for c in errors.columns if c.startswith("coverage_")]
    parts = [
        f"# {name}{'' if version is None else f' version {version}'}",
        f"Forecasts {targets or 'no sensor'}{labels} with a {info.kind} model on a {step} grid, "
        f"{info.sequence_length} steps of context, horizons in steps: {horizons}.",
        "## Data",
        _list(_data(info, provenance)),
        "## Errors",
        "In the unit of each target, in brackets 95 % bootstrap intervals. The baseline is the best of persistence, "
        "short mean and same time yesterday on the validation rows; skill 0 is as good as it, 1 is perfect.",
        _table(errors.select(*_KEY, *_ERRORS)),
    ]
    if not intervals.is_empty():
        parts += [
            "## Prediction intervals",
            "Share of the actual values inside. The holdout tests what was set before it.",
            _table(intervals.select(*_KEY, *coverages)),
        ]
    if classification is not None and not classification.is_empty():
        parts += ["## Probability of states", _table(_pooled(classification).drop("system_id"))]
    if leaving is not None and not leaving.is_empty():
        parts += [
            "## Probability of leaving the crop band",
            "On rows inside the band, up to each horizon; foreseen is a probability of one half or more. "
            "Rows of `train` set the calibration; the holdout tests it.",
            _table(leaving),
        ]
    parts += [
        "## Limits",
        _list(
            [
                *info.notes,
                f"fits feature rows on a {step} grid only; segments end at gaps over {duration_text(info.gap_limit)}",
                "learned from the systems above: another system gets a forecast, with errors that were not measured",
                "not a controller: dose by measurement, use the forecast to look ahead",
            ]
        ),
        "## Lineage",
        _list(f"{key}: `{value}`" for key, value in provenance.tags().items()),
        "## Use",
        f"`rows` is a pandas frame of `sensor_features`: the rows to forecast and {duration_text(info.lookback)} "
        "before them; or readings of `gold.iot_data`, with two days more. Stamps naive in UTC or with a time zone.",
        "```python\nimport mlflow\n\n"
        f'model = mlflow.pyfunc.load_model("models:/{name}/{version or "latest"}")\n'
        'forecasts = model.predict(rows, params={"newest": True})  # without params: of every row\n'
        "```",
    ]
    return "\n\n".join(parts) + "\n"


def interval_text(table: pl.DataFrame) -> pl.DataFrame:
    """`table` to read: each score and its bounds as one text, `0.0244 (0.0231 to 0.0258)`."""
    bounded = [c for c in table.columns if f"{c}_low" in table.columns]
    folded = {f"{c}_{side}" for c in bounded for side in ("low", "high")}

    def text(row: dict[str, float | None], name: str) -> str | None:
        value, low, high = (row[f"{name}{bound}"] for bound in ("", "_low", "_high"))
        if value is None:
            return None
        return f"{value:.4g}" if low is None or high is None else f"{value:.4g} ({low:.4g} to {high:.4g})"

    texts = {c: pl.Series([text(row, c) for row in table.iter_rows(named=True)], dtype=pl.String) for c in bounded}
    return table.with_columns(**texts).select(c for c in table.columns if c not in folded)


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
        *(f"{t.name} in training: {t.low:.4g} to {t.high:.4g} {t.unit}".rstrip() for t in info.targets),
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
