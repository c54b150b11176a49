"""What predictions must be: every row predicted or explained, possible values, an ensemble that is the mean."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hydro_assets.quality.finding import Finding, share_finding
from hydro_assets.tables import ALL_SYSTEMS, MODELS, SENSOR

COLUMNS: tuple[str, ...] = (
    "ensemble_avg",
    "ensemble_members",
    "baseline_prediction",
    "prediction_quality",
    *(f"{m}_prediction" for m in MODELS),
)
"""What the day's findings read, beside the target."""

FALLBACK_WARNING = 0.2  # share of a day's rows
# Sums in another order differ in the last digits.
ROUNDING = 1e-6
# A share is judged from this many forecasts on; below, chance alone moves it more than the tolerance.
LEAST_FORECASTS = 200
COVERAGE_TOLERANCE = {"coverage_80": 0.10, "coverage_95": 0.05}


def day_findings(predictions: pl.DataFrame) -> list[Finding]:
    """Judge rows of one day or more, of `forecasts` or of `batch_predictions` (whose target is `target_col`)."""
    predictions = predictions.rename({"target_col": "target"}, strict=False)
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
    """Forecasts, those of each model too, lie in the physical range of their target; those of a label in 0 .. 1."""
    low, high = (
        pl.col("target").replace_strict(
            {name: (column.low, column.high)[side] for name, column in SENSOR.items()},
            default=float(side),
            return_dtype=pl.Float64,
        )
        for side in (0, 1)
    )
    forecasts = [pl.col("ensemble_avg"), *(pl.col(f"{m}_prediction") for m in MODELS)]
    off = predictions.filter(pl.any_horizontal((f < low) | (f > high) for f in forecasts)).height
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


def cell_ratios(accuracy: pl.DataFrame, least: int = 1) -> pl.DataFrame:
    """[date, target, lead_minutes, n, ratio]: the ensemble's MAE over that of the best baseline, all systems.

    Rows that a model has learned from say nothing about new ones and do not count, nor do cells under `least` rows.
    """
    return (
        accuracy.filter(
            pl.col("model") == "ensemble",
            pl.col("system_id") == ALL_SYSTEMS,
            pl.col("is_in_training").eq_missing(False),
            pl.col("n") >= least,
            pl.col("baseline_mae") > 0,
        )
        .select("date", "target", "lead_minutes", "n", ratio=pl.col("mae") / pl.col("baseline_mae"))
        .sort("date", "target", "lead_minutes")
    )


def recent_findings(accuracy: pl.DataFrame) -> list[Finding]:
    """Judge rows of `prediction_accuracy` of the last days: interval coverage and skill of every target."""
    new = accuracy.filter(
        pl.col("model") == "ensemble",
        pl.col("system_id") == ALL_SYSTEMS,
        pl.col("is_in_training").eq_missing(False),
        pl.col("n") > 0,
    )
    n = int(new["n"].sum())
    if n < LEAST_FORECASTS:
        sentence = f"{n} forecasts of rows that no model has learned from can be judged, {LEAST_FORECASTS} are needed"
        return [Finding("recent_accuracy", True, "warn", sentence, {"n": n})]
    return [*_coverage(new), _skill(cell_ratios(accuracy), n)]


def _coverage(ensemble: pl.DataFrame) -> Sequence[Finding]:
    found = []
    for name, tolerance in COVERAGE_TOLERANCE.items():
        nominal, weight = int(name.removeprefix("coverage_")) / 100, pl.col("n")
        known = ensemble.drop_nulls(name).group_by("target", maintain_order=True)
        shares = known.agg(n=weight.sum(), share=(pl.col(name) * weight).sum() / weight.sum()).sort("target")
        shares = shares.filter(weight >= LEAST_FORECASTS)
        off = shares.filter((pl.col("share") - nominal).abs() > tolerance)
        each = ", ".join(f"{target} {share:.1%}" for target, share in shares.select("target", "share").iter_rows())
        sentence = f"share of the actual values in the {nominal:.0%} interval: {each or 'too few to judge'}"
        if not off.is_empty():
            sentence += f"; further than {tolerance:.0%} from nominal: {', '.join(off['target'])}"
        facts = dict(shares.select("target", "share").iter_rows())
        found.append(Finding(name, off.is_empty(), "warn", sentence, facts))
    return found


def _skill(cells: pl.DataFrame, n: int) -> Finding:
    """Mean over days, targets and lead times of the ensemble's MAE over that of the best baseline on the same rows."""
    if cells.is_empty():
        return Finding("beats_baseline", True, "warn", "no baseline errs: nothing can be better", {})
    ratio = float(cells["ratio"].to_numpy().mean())
    by_target = cells.group_by("target").agg(pl.col("ratio").mean()).sort("target")
    each = ", ".join(f"{target} {value:.3f}" for target, value in by_target.iter_rows())
    # A model whose validation found nothing to learn predicts its baseline, to the digit.
    beats = ratio <= 1 + ROUNDING
    verdict = "no worse than" if beats else "worse than"
    sentence = (
        f"over {n:,} forecasts the ensemble is {verdict} the best baseline: its MAE is {ratio:.3f} times the "
        f"baseline's in the mean over days, targets and lead times ({each})"
    )
    return Finding("beats_baseline", beats, "warn", sentence, {"ratio": ratio})
