"""Sections of a farm's report on what was measured: health, coverage, drift, data quality."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.report import pictures
from hydro_assets.report.page import Number, Section
from hydro_assets.tables import SENSOR, names

DAYS = 14
_FEATURES_SHOWN = 10


def recent_rows(lakehouse: Lakehouse, table: str, days: int, columns: list[str] | None = None) -> pl.DataFrame:
    if not lakehouse.exists(table) or not (there := lakehouse.days(table)):
        raise TableError(f"{table} holds no row yet", "Make it: hydro run")
    last = there[-1]
    return lakehouse.read_polars(table, last - timedelta(days=days - 1), last + timedelta(days=1), columns)


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


def drift(lakehouse: Lakehouse, now: datetime) -> Section:
    rows = recent_rows(lakehouse, names.FEATURE_DRIFT, 1).drop_nulls("psi")
    limit = lakehouse.settings.monitoring.psi_limit
    worst = rows.group_by("feature").agg(pl.col("psi").max()).sort("psi", descending=True)
    drifted = worst.filter(pl.col("psi") > limit).height
    numbers = [Number("features that drifted", f"{drifted} of {worst.height}", drifted > worst.height / 5, drifted)]
    says = "How far the features of the last days are from the data that the models learned from."
    if worst.is_empty():
        return Section("Drift", "No feature has enough values to be compared yet.")
    shown = worst.head(_FEATURES_SHOWN)
    numbers += [
        Number(f"PSI of {row[0]}", f"{row[1]:.3g}", row[1] > limit, row[1]) for row in shown.head(3).iter_rows()
    ]
    return Section("Drift", says, numbers, [pictures.drift(shown, limit)])


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
        quality = recent_rows(lakehouse, names.BATCH_PREDICTIONS, DAYS, ["date", "prediction_quality"])
        frames.append(
            quality.group_by("prediction_quality").agg(pl.len().alias("forecasts")).sort("forecasts", descending=True)
        )
    return Section(
        "Data quality", says if events.height else f"Nothing was marked in the last {DAYS} days.", frames=frames
    )


def _features(lakehouse: Lakehouse) -> tuple[pl.DataFrame, list[str]]:
    """Rows of the last days: keys, known sensors and their quality flags."""
    have = set(lakehouse.columns(names.SENSOR_FEATURES)) if lakehouse.exists(names.SENSOR_FEATURES) else set()
    sensors = [s for s in SENSOR if s in have]
    flags = [c for s in sensors for c in sorted(have) if c.startswith("is_") and c[3:].startswith(f"{s}_")]
    flags = [c for c in flags if not c.endswith(("_optimal", "_on"))]
    return recent_rows(
        lakehouse, names.SENSOR_FEATURES, DAYS, ["system_id", "timestamp", "date", *sensors, *flags]
    ), sensors


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
