"""The report of a farm: what tables and registry say, as one page. A section without data says what makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import HydroError, TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.status import model_errors
from hydro_assets.report import pictures
from hydro_assets.report.page import Number, Section, html
from hydro_assets.tables import SENSOR, names

DAYS = 14
HOURS_SHOWN = 24
FEATURES_SHOWN = 10
_PROMOTIONS = ("decided_at", "kind", "action", "champion_before", "champion_after", "reason")


def write_report(lakehouse: Lakehouse, now: datetime, path: Path | None = None) -> Path:
    """Write the page to `path`, by default `report.html` in the home, and return where it lies.

    Raises TableError when Gold has no reading.
    """
    if not lakehouse.exists(names.IOT_DATA) or not lakehouse.days(names.IOT_DATA):
        raise TableError("There is nothing to report: Gold holds no reading", "Import an export first, or hydro demo")
    path = path or lakehouse.settings.root / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(f"Farm report: {lakehouse.settings.catalog}", sections(lakehouse, now), now), encoding="utf-8")
    return path


def sections(lakehouse: Lakehouse, now: datetime) -> list[Section]:
    """Every section, in the order in which a farm's engineer asks."""
    made: list[tuple[str, Callable[[Lakehouse, datetime], Section]]] = [
        ("Farm health", health),
        ("Coverage", coverage),
        ("Outlook", outlook),
        ("Forecast against actuals", forecasts),
        ("Models beside the baselines", models),
        ("Errors by day", accuracy),
        ("Drift", drift),
        ("Versions and promotions", promotions),
        ("Data quality", quality),
    ]
    return [section(title, make, lakehouse, now) for title, make in made]


def section(title: str, make: Callable[[Lakehouse, datetime], Section], lakehouse: Lakehouse, now: datetime) -> Section:
    """The section, or one that says what is missing."""
    try:
        return make(lakehouse, now)
    except HydroError as error:  # no table or no version yet: the section says so and the others follow
        return Section(title, str(error))


def _recent(lakehouse: Lakehouse, table: str, days: int, columns: list[str] | None = None) -> pl.DataFrame:
    if not lakehouse.exists(table) or not (there := lakehouse.days(table)):
        raise TableError(f"{table} holds no row yet", "Make it: hydro run")
    last = there[-1]
    return lakehouse.read_polars(table, last - timedelta(days=days - 1), last + timedelta(days=1), columns)


def _features(lakehouse: Lakehouse) -> tuple[pl.DataFrame, list[str]]:
    """Rows of the last days: keys, known sensors and their quality flags."""
    have = set(lakehouse.columns(names.SENSOR_FEATURES)) if lakehouse.exists(names.SENSOR_FEATURES) else set()
    sensors = [s for s in SENSOR if s in have]
    flags = [c for s in sensors for c in sorted(have) if c.startswith("is_") and c[3:].startswith(f"{s}_")]
    flags = [c for c in flags if not c.endswith(("_optimal", "_on"))]
    return _recent(
        lakehouse, names.SENSOR_FEATURES, DAYS, ["system_id", "timestamp", "date", *sensors, *flags]
    ), sensors


def health(lakehouse: Lakehouse, now: datetime) -> Section:
    rows, sensors = _features(lakehouse)
    newest = rows.group_by("system_id").agg(pl.all().sort_by("timestamp").last()).sort("system_id")
    bands = {name: (band.low, band.high) for name, band in lakehouse.settings.crop.bands().items()}
    inside = [s for s in sensors if s in bands]
    current = newest.select(
        "system_id", pl.col("timestamp").alias("newest row"), *(pl.col(s).alias(_named(s)) for s in sensors)
    )
    counts = [pl.col(s).is_between(*bands[s]).mean().alias(s) for s in inside]
    last_day = rows.filter(pl.col("timestamp") > rows["timestamp"].max() - pl.duration(hours=24))
    shares = last_day.select(counts).row(0, named=True)
    age = now - _aware(rows["timestamp"].max())
    numbers = [
        Number("readings in Gold", f"{sum(lakehouse.rows_by_day(names.IOT_DATA).values()):,}"),
        Number("systems", str(newest.height)),
        Number(
            "age of the newest row",
            _age(age),
            age > timedelta(hours=2),
        ),
        *(
            Number(f"{s}: in the band, last 24 h", f"{100 * v:.0f} %", v < 0.9)
            for s, v in shares.items()
            if v is not None
        ),
    ]
    says = "The newest values of every system, and how much of the last 24 hours lay in the crop's optimal band."
    return Section("Farm health", says, numbers, frames=[current])


def coverage(lakehouse: Lakehouse, now: datetime) -> Section:
    rows, sensors = _features(lakehouse)
    per_day = timedelta(days=1) // lakehouse.settings.feature_step * rows["system_id"].n_unique()
    first, last = rows["timestamp"].min(), rows["timestamp"].max()
    known = rows.group_by("date").agg(pl.col(s).is_not_null().sum() for s in sensors).sort("date")
    possible = [_steps_of(day, _aware(first), _aware(last), per_day) for day in known["date"]]
    by_day = known.with_columns(pl.Series("possible", possible)).unpivot(
        sensors, index=["date", "possible"], variable_name="sensor", value_name="known"
    )
    by_day = by_day.select(
        pl.col("date").cast(pl.String).alias("day"),
        "sensor",
        (pl.col("known") / pl.col("possible")).clip(0, 1).alias("share"),
    )
    worst = by_day.sort("share").row(0, named=True)
    says = (
        f"Share of the grid's steps ({duration_text(lakehouse.settings.feature_step)}) that carry a usable value, over "
        f"all systems, in the last {known.height} days. Lowest: {worst['sensor']} on {worst['day']}, "
        f"{100 * worst['share']:.0f} %."
    )
    numbers = [
        Number(
            f"{row['sensor']}: steps known (%)", f"{100 * row['share']:.1f} %", row["share"] < 0.9, 100 * row["share"]
        )
        for row in by_day.group_by("sensor", maintain_order=True).agg(pl.col("share").mean()).iter_rows(named=True)
    ]
    return Section("Coverage", says, numbers, [pictures.coverage(by_day)])


def _steps_of(day: date, first: datetime, last: datetime, per_day: int) -> float:
    """Steps that the day could hold, all systems: the first and the last day of the rows are not whole."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    begin, end = max(start, first), min(start + timedelta(days=1), last + timedelta(minutes=1))
    return max(per_day * ((end - begin) / timedelta(days=1)), 1.0)


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


def _digits(column: str) -> pl.Expr:
    return pl.col(column).map_elements(lambda v: f"{v:.4g}", pl.String)


def _range(low: str, high: str) -> pl.Expr:
    return pl.concat_str(_digits(low), pl.lit(" .. "), _digits(high))  # null where either end is


def _with_unit(cell: dict[str, object]) -> str | None:
    value, target = cell["current_value"], str(cell["target"])
    return None if value is None else f"{value:.4g} {SENSOR[target].unit}" if target in SENSOR else f"{value:.4g}"


def _percent(share: float) -> str:
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def forecasts(lakehouse: Lakehouse, now: datetime) -> Section:
    """The primary target an hour ahead, or as near to it as is forecast."""
    settings = lakehouse.settings
    ends = [f"{side}_{share}" for side in ("lower", "upper") for share in (80, 95)]
    columns = ["system_id", "timestamp", "target", "lead_minutes", "prediction_for", "ensemble_avg", *ends]
    rows = _recent(lakehouse, names.FORECASTS, 2, columns)
    told = rows["target"].unique().to_list()
    target = settings.target_col if settings.target_col in told else next((t for t in SENSOR if t in told), None)
    if target is None:
        raise TableError("No sensor is forecast yet", "Make forecasts: hydro run")
    lead = min(rows.filter(target=target)["lead_minutes"].unique(), key=lambda minutes: (abs(minutes - 60), minutes))
    actual = _recent(lakehouse, names.SENSOR_FEATURES, 2, ["system_id", "timestamp", target])
    shown = (
        rows.filter(target=target, lead_minutes=lead)
        .filter(pl.col("timestamp") > rows["timestamp"].max() - pl.duration(hours=HOURS_SHOWN))
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
    says = f"The ensemble's forecast of {target} {ahead} ahead, last {HOURS_SHOWN} hours, drawn at the time it is for."
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
    rows = _recent(lakehouse, names.PREDICTION_ACCURACY, DAYS).filter(model="ensemble", system_id="all")
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


def drift(lakehouse: Lakehouse, now: datetime) -> Section:
    rows = _recent(lakehouse, names.FEATURE_DRIFT, 1).drop_nulls("psi")
    limit = lakehouse.settings.monitoring.psi_limit
    worst = rows.group_by("feature").agg(pl.col("psi").max()).sort("psi", descending=True)
    drifted = worst.filter(pl.col("psi") > limit).height
    numbers = [Number("features that drifted", f"{drifted} of {worst.height}", drifted > worst.height / 5, drifted)]
    says = "How far the features of the last days are from the data that the models learned from."
    if worst.is_empty():
        return Section("Drift", "No feature has enough values to be compared yet.")
    shown = worst.head(FEATURES_SHOWN)
    numbers += [
        Number(f"PSI of {row[0]}", f"{row[1]:.3g}", row[1] > limit, row[1]) for row in shown.head(3).iter_rows()
    ]
    return Section("Drift", says, numbers, [pictures.drift(shown, limit)])


def promotions(lakehouse: Lakehouse, now: datetime) -> Section:
    if not lakehouse.exists(names.PROMOTION_LOG):
        raise TableError("No version has been judged yet", "Train models: hydro run")
    rows = lakehouse.read_polars(names.PROMOTION_LOG).sort("decided_at", descending=True)
    shown = [c for c in _PROMOTIONS if c in rows.columns]
    return Section(
        "Versions and promotions", "The newest decisions on which version serves.", frames=[rows.select(shown).head(12)]
    )


def quality(lakehouse: Lakehouse, now: datetime) -> Section:
    rows, _ = _features(lakehouse)
    flags = [c for c in rows.columns if c.startswith("is_") and rows.schema[c] == pl.Boolean]
    events = (
        rows.unpivot(flags, index=["date", "system_id"], variable_name="event", value_name="is_true")
        .filter(pl.col("is_true"))
        .group_by("event", "system_id")
        .agg(pl.len().alias("steps"), pl.col("date").min().alias("first"), pl.col("date").max().alias("last"))
        .sort("steps", descending=True)
    )
    events = events.with_columns(pl.col("event").str.strip_prefix("is_").str.replace_all("_", " "))
    says = f"Cells of the last {DAYS} days that were marked, by kind: they are null in the features or carry the mark."
    frames = [events.head(30)]
    if lakehouse.exists(names.BATCH_PREDICTIONS):
        quality = _recent(lakehouse, names.BATCH_PREDICTIONS, DAYS, ["date", "prediction_quality"])
        frames.append(
            quality.group_by("prediction_quality").agg(pl.len().alias("forecasts")).sort("forecasts", descending=True)
        )
    return Section(
        "Data quality", says if events.height else f"Nothing was marked in the last {DAYS} days.", frames=frames
    )


def _named(sensor: str) -> str:
    return f"{sensor} ({SENSOR[sensor].unit})"


def _age(age: timedelta) -> str:
    for unit, size in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if age >= 2 * size:
            return f"{age // size} {unit}"
    return f"{age // timedelta(minutes=1)} min"


def _aware(time: object) -> datetime:
    assert isinstance(time, datetime)  # the rows are not empty
    return time if time.tzinfo else time.replace(tzinfo=UTC)
