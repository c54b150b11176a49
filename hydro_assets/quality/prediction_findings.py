"""What `batch_predictions` must be: every row predicted or explained, possible values, an ensemble that is the mean."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hydro_assets.quality.finding import Finding, share_finding
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, SENSOR

COLUMNS: tuple[str, ...] = (
    "ensemble_avg",
    "ensemble_members",
    "baseline_prediction",
    "prediction_quality",
    "target_col",
    *(f"{m}_prediction" for m in MODELS),
)
"""What the day's findings read."""

FALLBACK_WARNING = 0.2  # share of a day's rows
# Sums in another order differ in the last digits.
ROUNDING = 1e-6
# A share is judged from this many forecasts on; below, chance alone moves it more than the tolerance.
LEAST_FORECASTS = 200
COVERAGE_TOLERANCE = {"coverage_80": 0.10, "coverage_95": 0.05}


def day_findings(predictions: pl.DataFrame, settings: Settings) -> list[Finding]:
    """Judge rows of `batch_predictions` of one day or more."""
    return [explained(predictions), ensemble_is_mean(predictions), possible(predictions), served_by_models(predictions)]


def explained(predictions: pl.DataFrame) -> Finding:
    """Each row has a forecast, or a quality that says why it has none."""
    silent = predictions.filter(
        pl.col("prediction_quality").is_null()
        | (pl.col("ensemble_avg").is_null() & pl.col("prediction_quality").is_in(["ok", "fallback"]))
    ).height
    predicted = predictions.height - predictions["ensemble_avg"].null_count()
    sentence = f"{predicted:,} of {predictions.height:,} rows are predicted, the others say why not"
    if silent:
        sentence = f"{silent:,} of {predictions.height:,} rows have neither a forecast nor a reason"
    return Finding("explained", not silent, "error", sentence, {"rows": predictions.height, "predicted": predicted})


def ensemble_is_mean(predictions: pl.DataFrame) -> Finding:
    """`ensemble_avg` is the mean of the models that it names, each of which forecast; or the baseline; or null."""
    named = {m: pl.col("ensemble_members").str.split(",").list.contains(m) for m in MODELS}
    mean = (
        pl.when(pl.col("ensemble_members") == "baseline")
        .then("baseline_prediction")
        .otherwise(pl.mean_horizontal(pl.when(is_member).then(f"{m}_prediction") for m, is_member in named.items()))
    )
    is_mean = ((pl.col("ensemble_avg") - mean).abs() <= ROUNDING).fill_null(False)
    is_nothing = pl.col("ensemble_avg").is_null() & mean.is_null()
    is_silent = pl.any_horizontal(is_member & pl.col(f"{m}_prediction").is_null() for m, is_member in named.items())
    off = predictions.filter(~(is_mean | is_nothing) | is_silent.fill_null(False)).height
    sentence = "ensemble_avg is the mean of its members in every row"
    if off:
        sentence = f"in {off:,} rows ensemble_avg is not the mean of its members"
    return Finding("ensemble_is_mean", not off, "error", sentence, {"rows_off": off})


def possible(predictions: pl.DataFrame) -> Finding:
    """Forecasts, those of each model too, lie in the physical range of their target."""
    forecasts = [pl.col("ensemble_avg"), *(pl.col(f"{m}_prediction") for m in MODELS)]
    limits = [
        (pl.col("target_col") == name) & ((forecast < column.low) | (forecast > column.high))
        for name, column in SENSOR.items()
        for forecast in forecasts
    ]
    off = predictions.filter(pl.any_horizontal(limits)).height
    sentence = "every forecast is physically possible"
    if off:
        sentence = f"{off:,} rows have a forecast outside the physical range of their target"
    return Finding("possible", not off, "error", sentence, {"rows_off": off})


def served_by_models(predictions: pl.DataFrame) -> Finding:
    """Learned models served, and not only the baseline in their place; short histories after a gap are normal."""
    fallback = int((predictions["prediction_quality"] == "fallback").sum())
    share = fallback / max(predictions.height, 1)
    what = f"of {predictions.height:,} rows were served by the baseline alone"
    return share_finding("served_by_models", what, share, FALLBACK_WARNING, 1.0, {"fallback": fallback})


def recent_findings(accuracy: pl.DataFrame, settings: Settings) -> list[Finding]:
    """Judge rows of `prediction_accuracy` of the last days, all systems: interval coverage and skill."""
    ensemble = accuracy.filter(
        pl.col("model") == "ensemble", pl.col("system_id") == "all", pl.col("target_col") == settings.target_col
    )
    n = int(ensemble["n"].sum())
    if n < LEAST_FORECASTS:
        sentence = f"{n} forecasts have met their truth, {LEAST_FORECASTS} are needed to judge"
        return [Finding("recent_accuracy", True, "warn", sentence, {"n": n})]
    return [*_coverage(ensemble), _skill(ensemble, n)]


def _coverage(ensemble: pl.DataFrame) -> Sequence[Finding]:
    found = []
    for name, tolerance in COVERAGE_TOLERANCE.items():
        nominal = int(name.removeprefix("coverage_")) / 100
        known = ensemble.drop_nulls(name)
        if known.is_empty():
            continue
        share = float((known[name] * known["n"]).sum()) / int(known["n"].sum())
        near = abs(share - nominal) <= tolerance
        sentence = f"{share:.1%} of the truths lay in the {nominal:.0%} interval" + (
            "" if near else f", further than {tolerance:.0%} from nominal"
        )
        found.append(Finding(name, near, "warn", sentence, {"share": share, "n": int(known["n"].sum())}))
    return found


def _skill(ensemble: pl.DataFrame, n: int) -> Finding:
    mae = float((ensemble["mae"] * ensemble["n"]).sum()) / n
    baseline = float((ensemble["baseline_mae"] * ensemble["n"]).sum()) / n
    # A model whose validation found nothing to learn predicts its baseline, to the digit.
    beats = mae <= baseline * (1 + ROUNDING)
    verdict = "no worse than" if beats else "worse than"
    sentence = f"over {n:,} forecasts the ensemble's MAE is {mae:.4g}, {verdict} the baseline's {baseline:.4g}"
    return Finding("beats_baseline", beats, "warn", sentence, {"mae": mae, "baseline_mae": baseline})
