"""Sections of a farm's report on what is forecast: outlook, errors, models beside baselines, promotions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.report_readings import DAYS, recent_rows
from hydro_assets.pipeline.status import model_errors
from hydro_assets.report import pictures
from hydro_assets.report.page import Number, Section
from hydro_assets.tables import SENSOR, names

_HOURS_SHOWN = 24
_PROMOTIONS = ("decided_at", "kind", "action", "champion_before", "champion_after", "reason")


def outlook(lakehouse: Lakehouse, now: datetime) -> Section:
    if not lakehouse.exists(names.SYSTEM_OUTLOOK):
        raise TableError(f"{names.SYSTEM_OUTLOOK} does not exist yet", "Make it: hydro run")
    rows = lakehouse.read_polars(names.SYSTEM_OUTLOOK)
    risks = [c for c in rows.columns if c.startswith("leaving_probability_")]  # shortest window first
    rows = rows.sort(*risks[::-1], "system_id", "target", descending=[True] * len(risks) + [False] * 2, nulls_last=True)
    numbers = [Number("systems", str(rows["system_id"].n_unique()))]
    for risk in risks:
        ahead, worst = risk.rpartition("_")[2], rows.sort(risk, descending=True, nulls_last=True).row(0, named=True)
        likely = rows.filter(pl.col(risk) > 0.5).height
        numbers.append(
            Number(f"outside their band, or likely to be within {ahead}", f"{likely} of {rows.height}", likely > 0)
        )
        if worst[risk] is not None:
            named = f"highest risk within {ahead}: {worst['system_id']}, {worst['target']}"
            numbers.append(Number(named, _percent(worst[risk]), worst[risk] > 0.5))
    says = (
        "Each system's newest forecasts, the likeliest to leave the crop's band first. Forecasts are those of the "
        "farthest lead time, with the interval that holds 8 of 10 actual values; no risk stands where there is no band."
    )
    table = rows.select(
        "system_id",
        "target",
        pl.struct("target", "current_value").map_elements(_with_unit, pl.String).alias("now"),
        _range("band_low", "band_high").alias("band"),
        _digits("prediction").alias("forecast"),
        _range("lower_80", "upper_80").alias("80 % interval"),
        *(pl.col(r).map_elements(_percent, pl.String).alias(f"risk {r.rpartition('_')[2]}") for r in risks),
        pl.when(pl.col("prediction_quality") != "ok").then("prediction_quality").alias("but"),
    )
    if table["but"].null_count() == table.height:
        table = table.drop("but")
    return Section("Outlook", says, numbers, frames=[table])


def forecasts(lakehouse: Lakehouse, now: datetime) -> Section:
    """The primary target an hour ahead, or as near to it as is forecast."""
    settings = lakehouse.settings
    ends = [f"{side}_{share}" for side in ("lower", "upper") for share in (80, 95)]
    columns = ["system_id", "timestamp", "target", "lead_minutes", "prediction_for", "ensemble_avg", *ends]
    rows = recent_rows(lakehouse, names.FORECASTS, 2, columns)
    told = rows["target"].unique().to_list()
    target = settings.target_col if settings.target_col in told else next((t for t in SENSOR if t in told), None)
    if target is None:
        raise TableError("No sensor is forecast yet", "Make forecasts: hydro run")
    lead = min(rows.filter(target=target)["lead_minutes"].unique(), key=lambda minutes: (abs(minutes - 60), minutes))
    actual = recent_rows(lakehouse, names.SENSOR_FEATURES, 2, ["system_id", "timestamp", target])
    shown = (
        rows.filter(target=target, lead_minutes=lead)
        .filter(pl.col("timestamp") > rows["timestamp"].max() - pl.duration(hours=_HOURS_SHOWN))
        .join(actual, left_on=["system_id", "prediction_for"], right_on=["system_id", "timestamp"], how="left")
        .rename({"prediction_for": "time", "ensemble_avg": "forecast", target: "actual"})
        .sort("system_id", "time")
    )
    band, unit = settings.crop.bands().get(target), SENSOR[target].unit
    picture = pictures.forecast_against_actuals(shown, target, None if band is None else (band.low, band.high))
    ahead, first = duration_text(timedelta(minutes=lead)), shown["system_id"].min()
    judged = shown.drop_nulls(["actual", "forecast", "lower_80", "upper_80"])
    numbers = []
    if judged.height:
        error = judged.select((pl.col("forecast") - pl.col("actual")).abs().mean()).item()
        inside = judged.select(pl.col("actual").is_between("lower_80", "upper_80").mean()).item()
        numbers = [
            Number(f"mean absolute error of {target}, {ahead} ahead ({unit})", f"{error:.4g}", amount=error),
            Number("actual values inside the 80 % interval", f"{100 * inside:.0f} %", inside < 0.6),
            Number("forecasts with a known actual value", f"{judged.height:,} of {shown.height:,}"),
        ]
    one = shown.filter(system_id=first)
    trend = {f"{first} forecast": one["forecast"].to_list(), "actual": one["actual"].to_list()}
    says = f"The ensemble's forecast of {target} {ahead} ahead, last {_HOURS_SHOWN} hours, drawn at the time it is for."
    return Section("Forecast against actuals", says, numbers, [picture], trend=trend)


def models(lakehouse: Lakehouse, now: datetime) -> Section:
    frames = []
    for errors in model_errors(lakehouse.settings):
        rows = [asdict(row) for row in errors.rows if row.split == "holdout"]
        if rows:
            named = pl.lit(f"{errors.target} ({errors.unit})").alias("target")
            frames.append(pl.DataFrame(rows, infer_schema_length=None).drop("split").select(named, pl.all()))
    says = "Mean absolute error of the versions that serve, on rows that no model learned from, beside the baselines."
    return Section("Models beside the baselines", says, frames=frames)


def accuracy(lakehouse: Lakehouse, now: datetime) -> Section:
    settings = lakehouse.settings
    rows = recent_rows(lakehouse, names.PREDICTION_ACCURACY, DAYS).filter(model="ensemble", system_id="all")
    rows = rows.filter(target=settings.target_col).drop_nulls(["mae", "baseline_mae"])
    rows = rows.filter(pl.col("horizon") == rows["horizon"].min())
    if rows.is_empty():
        raise TableError(
            "No forecast has met its actual value yet", "Look again when readings have followed: hydro run"
        )
    rows = (
        rows.group_by("date").agg(pl.col("mae", "baseline_mae", "coverage_80").mean(), pl.col("n").sum()).sort("date")
    )
    wins = rows.filter(pl.col("mae") < pl.col("baseline_mae")).height
    newest, unit = rows.row(-1, named=True), SENSOR[settings.target_col].unit
    numbers = [
        Number(
            f"MAE of the newest day ({SENSOR[settings.target_col].unit})", f"{newest['mae']:.4g}", amount=newest["mae"]
        ),
        Number("days on which the ensemble was better", f"{wins} of {rows.height}", wins * 2 < rows.height),
        Number("inside the 80 % interval, mean", f"{100 * rows['coverage_80'].mean():.0f} %"),  # type: ignore[operator]
    ]
    says = f"The stored forecasts of {settings.target_col}, once the actual values had arrived."
    trend = {"ensemble": rows["mae"].to_list(), "baseline": rows["baseline_mae"].to_list()}
    return Section("Errors by day", says, numbers, [pictures.errors_by_day(rows, unit)], trend=trend)


def promotions(lakehouse: Lakehouse, now: datetime) -> Section:
    if not lakehouse.exists(names.PROMOTION_LOG):
        raise TableError("No version has been judged yet", "Train models: hydro run")
    rows = lakehouse.read_polars(names.PROMOTION_LOG).sort("decided_at", descending=True)
    shown = [c for c in _PROMOTIONS if c in rows.columns]
    return Section(
        "Versions and promotions", "The newest decisions on which version serves.", frames=[rows.select(shown).head(12)]
    )


def _digits(column: str) -> pl.Expr:
    return pl.col(column).map_elements(lambda v: f"{v:.4g}", pl.String)


def _range(low: str, high: str) -> pl.Expr:
    return pl.concat_str(_digits(low), pl.lit(" .. "), _digits(high))  # null where either end is


def _with_unit(cell: dict[str, object]) -> str | None:
    value, target = cell["current_value"], str(cell["target"])
    return None if value is None else f"{value:.4g} {SENSOR[target].unit}" if target in SENSOR else f"{value:.4g}"


def _percent(share: float) -> str:
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"
