"""The feature table as window expressions: one SQL text for DuckDB and for Spark, written from columns.py.

This is the plan that `hydro_assets` does not use. It exists so that `feature_job.py` can compare speed and values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from hydro_assets.features.probes import (
    COARSE_SHARE_OF_RANGE,
    FEWEST_STEPS,
    NOISE_AUTOCORRELATION,
    NOISE_SHARE_OF_RANGE,
    NOISE_WINDOW,
    STUCK_WINDOW,
    STUCK_WINDOW_COARSE,
)
from hydro_assets.features.rolling import least_samples
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.tables import SENSOR, ZERO_IS_PLACEHOLDER


@dataclass(frozen=True)
class Dialect:
    """Where the two engines' SQL differs."""

    microseconds: str  # of a timestamp
    from_microseconds: str
    series: str  # rows of a .. b
    last_known: str
    weekday: str  # ISO, 1 = Monday


DUCKDB = Dialect(
    "epoch_us({})",
    "make_timestamptz({})",
    "unnest(generate_series({}, {}))",
    "last_value({} IGNORE NULLS) OVER ({})",
    "isodow({})",
)
SPARK = Dialect(
    "unix_micros({})",
    "timestamp_micros({})",
    "explode(sequence({}, {}))",
    "last_value({}, true) OVER ({})",
    "(pmod(dayofweek({}) + 5, 7) + 1)",
)
DEAD = ("stuck", "noise_only")
SEGMENT = "PARTITION BY system_id, segment"
ORDERED = SEGMENT + " ORDER BY k"


def feature_sql(spec: FeatureSpec, gold: str, dialect: Dialect) -> str:
    """SELECT of the columns of `spec.table` from the table or view `gold`. UTC farms with every actuator column."""
    step_us = spec.step // timedelta(microseconds=1)
    gap = spec.gap_limit // spec.step
    minutes = f"{spec.step.total_seconds() / 60}e0"  # a literal without exponent is a DECIMAL
    timestamp = dialect.microseconds.format("timestamp_key")
    cells = [e for name in spec.sensors for e in _cells(name)]
    states = ["water_level", *spec.actuators]
    aggregates = [e for name in spec.sensors for e in _aggregates(name)]
    last_state = [f"max_by({s}, CASE WHEN {s} IS NOT NULL THEN us END) AS {s}" for s in states]
    centred = [e for name in spec.sensors for e in _centred(name)]
    windows = [e for name in spec.sensors for e in _sensor_windows(name, spec, minutes, dialect)]
    windows += [e for name in spec.actuators for e in _actuator_windows(name, spec, minutes)]
    windows += [
        f"1 - sum(CASE WHEN reading_count IS NOT NULL THEN 1e0 ELSE 0e0 END) OVER ({_frame(w)}) / {w} "
        f"AS missing_share_{label}"
        for label, w in spec.windows
    ]
    kept = ["system_id", "segment", "k", "reading_count", "known_at", "minutes_since_previous", *states]
    kept += [c for n in spec.sensors for c in (n, *(f"{n}_{x}" for x in ("min", "max", "std", "count")))]
    kept += [f"is_{n}_{x}" for n in spec.sensors for x in ("out_of_range", "placeholder_zero", "saturated")]
    judged = [e for n in spec.sensors for e in _judged(n, spec)]
    blanked = {c: e for n in spec.sensors for c, e in _blanked(n).items()}
    alive = ["x", *(blanked.get(c, c) for c in kept), *(f"is_{n}_{x}" for n in spec.sensors for x in DEAD)]
    known = [f"CASE WHEN {n} IS NOT NULL THEN k END AS {n}_k" for n in spec.sensors]
    kept += [f"is_{n}_{x}" for n in spec.sensors for x in DEAD]
    rows = _row_columns(spec, dialect, step_us)
    return f"""
    WITH latest AS (
        SELECT *, row_number() OVER (
            PARTITION BY system_id, timestamp_key ORDER BY ingestion_timestamp DESC, reading_id DESC) AS nth
        FROM {gold}),
    tidy AS (
        SELECT system_id, {timestamp} AS us, CAST(floor({timestamp} / {step_us}) AS BIGINT) AS k, ingestion_timestamp,
            {", ".join(cells + states)}
        FROM latest WHERE nth = 1),
    steps AS (
        SELECT system_id, k, CAST(count(*) AS INT) AS reading_count, max(ingestion_timestamp) AS known_at,
            {", ".join(aggregates + last_state)}
        FROM tidy GROUP BY system_id, k),
    apart AS (SELECT *, k - lag(k) OVER (PARTITION BY system_id ORDER BY k) AS distance FROM steps),
    segments AS (
        SELECT *, CASE WHEN distance * {minutes} <= 1440 THEN distance * {minutes} END AS minutes_since_previous,
            sum(CASE WHEN distance > {gap} THEN 1 ELSE 0 END) OVER (PARTITION BY system_id ORDER BY k) AS segment
        FROM apart),
    spans AS (SELECT system_id, segment, min(k) AS first, max(k) AS last FROM segments GROUP BY system_id, segment),
    every AS (SELECT system_id, segment, first, {dialect.series.format("first", "last")} AS k FROM spans),
    dense AS (
        SELECT every.system_id, every.segment, every.k, (every.k - every.first) * {minutes} / 60e0 AS x,
            {", ".join(f"s.{c} AS {c}" for c in kept[3:] if not c.endswith(DEAD))}
        FROM every LEFT JOIN segments s ON every.system_id = s.system_id AND every.k = s.k),
    centred AS (SELECT *, {", ".join(centred)} FROM dense),
    paired AS (SELECT *, {", ".join(e for n in spec.sensors for e in _paired(n))} FROM centred),
    judged AS (SELECT *, {", ".join(judged)} FROM paired),
    alive AS (SELECT {", ".join(alive)} FROM judged),
    known AS (SELECT *, {", ".join(known)} FROM alive),
    windowed AS (SELECT {", ".join(kept)}, {", ".join(windows)} FROM known)
    SELECT {", ".join(f"{rows.get(c, c)} AS {c}" for c in spec.table.column_names)}
    FROM windowed WHERE reading_count IS NOT NULL"""


def _frame(width: int) -> str:
    return f"{ORDERED} ROWS BETWEEN {width - 1} PRECEDING AND CURRENT ROW"


def _cells(name: str) -> list[str]:
    low, high = SENSOR[name].low, SENSOR[name].high
    zero = f"{name} = 0" if name in ZERO_IS_PLACEHOLDER else "false"
    inside = f"{name} BETWEEN {low} AND {high}"
    end = f"({name} = {low} OR {name} = {high}) AND NOT ({zero})"
    return [
        f"CASE WHEN {inside} AND NOT ({zero}) AND NOT ({end}) THEN {name} END AS {name}",
        f"coalesce({end}, false) AS {name}_end",
        f"coalesce(NOT ({inside}) AND NOT ({zero}), false) AS {name}_outside",
        f"coalesce({zero}, false) AS {name}_zero",
    ]


def _aggregates(name: str) -> list[str]:
    return [
        f"avg({name}) AS {name}",
        f"min({name}) AS {name}_min",
        f"max({name}) AS {name}_max",
        f"stddev_pop({name}) AS {name}_std",
        f"CAST(count({name}) AS INT) AS {name}_count",
        f"bool_or({name}_outside) AS is_{name}_out_of_range",
        f"bool_or({name}_zero) AS is_{name}_placeholder_zero",
        f"bool_or({name}_end) AS is_{name}_saturated",
    ]


def _centred(name: str) -> list[str]:
    return [
        f"{name} - avg({name}) OVER ({SEGMENT}) AS {name}_c",
        f"lag({name}) OVER ({ORDERED}) AS {name}_before",
        f"least(nullif({name}_max - {name}_min, 0e0), "
        f"nullif(abs({name}_max - lag({name}_max) OVER ({ORDERED})), 0e0)) AS {name}_move",
        f"CASE WHEN {name}_max IS NOT NULL THEN CASE {_places(name)} ELSE 1e-4 END END AS {name}_place",
    ]


def _places(name: str) -> str:
    places = (f"WHEN abs({name}_max - round({name}_max, {d})) < 1e-9 THEN 1e-{d}" for d in range(4))
    return " ".join(places)


def _paired(name: str) -> list[str]:
    both = f"{name}_before IS NOT NULL AND {name}_c IS NOT NULL"
    return [
        f"CASE WHEN {both} THEN {name}_c END AS {name}_a",
        f"CASE WHEN {both} THEN {name}_before - ({name} - {name}_c) END AS {name}_b",
    ]


def _sensor_windows(name: str, spec: FeatureSpec, minutes: str, dialect: Dialect) -> list[str]:
    made = [f"lag({name}, {n}) OVER ({ORDERED}) AS {name}_lag_{label}" for label, n in spec.lags]
    back = f"{ORDERED} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    before, at = dialect.last_known.format(name, back), dialect.last_known.format(f"{name}_k", back)
    passed = f"((k - {at}) * {minutes})"
    made.append(f"CASE WHEN {passed} <= 1440 THEN ({name} - {before}) / {passed} END AS {name}_change_per_min")
    for label, width in spec.windows:
        over = f"OVER ({_frame(width)})"
        enough = f"count({name}) {over} >= {least_samples(width, spec.min_window_coverage)}"
        for statistic, function in (("mean", "avg"), ("std", "stddev_samp"), ("min", "min"), ("max", "max")):
            made.append(f"CASE WHEN {enough} THEN {function}({name}) {over} END AS {name}_{statistic}_{label}")
        made.append(f"CASE WHEN {enough} THEN regr_slope({name}, x) {over} END AS {name}_slope_{label}")
        if name in spec.bands:
            low, high = spec.bands[name]
            inside = f"CASE WHEN {name} BETWEEN {low} AND {high} THEN 1e0 WHEN {name} IS NOT NULL THEN 0e0 END"
            made.append(f"CASE WHEN {enough} THEN avg({inside}) {over} END AS {name}_share_in_band_{label}")
    return made


def _judged(name: str, spec: FeatureSpec) -> list[str]:
    """Whether a probe is stuck or gives mere noise, as `features/probes.py` says."""

    def steps(window: timedelta) -> int:
        return max(int(window / spec.step), FEWEST_STEPS)

    sensor = SENSOR[name]
    span = sensor.high - sensor.low  # type: ignore[operator]
    day = f"OVER ({_frame(steps(STUCK_WINDOW_COARSE))})"

    def unmoved(window: timedelta) -> str:
        over = f"OVER ({_frame(steps(window))})"
        least = least_samples(steps(window), spec.min_window_coverage)
        return f"count({name}_max) {over} >= {least} AND max({name}_max) {over} = min({name}_min) {over}"

    resolution = f"coalesce(min({name}_move) {day}, min({name}_place) {day})"
    stuck = (
        f"CASE WHEN {resolution} <= {COARSE_SHARE_OF_RANGE * span}e0 THEN {unmoved(STUCK_WINDOW)} "
        f"ELSE {unmoved(STUCK_WINDOW_COARSE)} END"
    )
    noise = steps(NOISE_WINDOW)
    wide = f"OVER ({_frame(noise)})"
    least = least_samples(noise, spec.min_window_coverage)
    a, b = f"{name}_a", f"{name}_b"

    def mean(expression: str) -> str:
        return f"avg({expression}) {wide}"

    covariance = f"({mean(f'{a} * {b}')} - {mean(a)} * {mean(b)})"
    va, vb = (f"({mean(f'{e} * {e}')} - {mean(e)} * {mean(e)})" for e in (a, b))
    limit = NOISE_SHARE_OF_RANGE * span
    noisy = (
        f"count({a}) {wide} >= {least} AND {va} * {vb} > 0 AND stddev_samp({name}) {wide} > {limit}e0 "
        f"AND {covariance} < {NOISE_AUTOCORRELATION}e0 * sqrt(greatest({va} * {vb}, 0e0))"
    )
    return [
        f"coalesce({stuck}, false) AS is_{name}_stuck",
        f"coalesce({noisy}, false) AS is_{name}_noise_only",
    ]


def _blanked(name: str) -> dict[str, str]:
    """The cells of a probe by column, null (a count: 0) where it is stuck or gives mere noise."""
    dead = f"(is_{name}_stuck OR is_{name}_noise_only)"
    cells = {
        c: f"CASE WHEN NOT {dead} THEN {c} END AS {c}" for c in (name, f"{name}_min", f"{name}_max", f"{name}_std")
    }
    return cells | {f"{name}_count": f"CASE WHEN {dead} THEN 0 ELSE {name}_count END AS {name}_count"}


def _actuator_windows(name: str, spec: FeatureSpec, minutes: str) -> list[str]:
    stem = name.removeprefix("is_").removesuffix("_on")
    since = f"((k - max(CASE WHEN {name} THEN k END) OVER ({ORDERED})) * {minutes})"
    made = [f"CASE WHEN {since} <= 1440 THEN {since} END AS {stem}_minutes_since_on"]
    for label, width in spec.windows:
        over = f"OVER ({_frame(width)})"
        enough = f"count({name}) {over} >= {least_samples(width, spec.min_window_coverage)}"
        share = f"avg(CASE WHEN {name} THEN 1e0 WHEN NOT {name} THEN 0e0 END) {over}"
        made.append(f"CASE WHEN {enough} THEN {share} END AS {stem}_share_on_{label}")
    return made


def _row_columns(spec: FeatureSpec, dialect: Dialect, step_us: int) -> dict[str, str]:
    moment = dialect.from_microseconds.format(f"k * {step_us}")
    day_angle = f"(pmod_us / 3600e6 * {2 * math.pi / 24}e0)".replace("pmod_us", f"((k * {step_us}) % 86400000000)")
    weekday = dialect.weekday.format(moment)
    week_angle = f"(({weekday} - 1) * {2 * math.pi / 7}e0)"
    judged = [f"{n} BETWEEN {spec.bands[n][0]} AND {spec.bands[n][1]}" for n in spec.environment_sensors]
    made = {
        "timestamp": moment,
        "date": f"CAST({moment} AS DATE)",
        "water_level": "CAST(water_level AS DOUBLE)",
        "hour_sin": f"sin({day_angle})",
        "hour_cos": f"cos({day_angle})",
        "weekday_sin": f"sin({week_angle})",
        "weekday_cos": f"cos({week_angle})",
        "is_weekend": f"{weekday} >= 6",
        "is_env_optimal": " AND ".join(judged),
    }
    for name, (low, high) in spec.bands.items():
        made[f"{name}_band_distance"] = (
            f"CASE WHEN {name} < {low} THEN {name} - {low} WHEN {name} > {high} THEN {name} - {high} "
            f"WHEN {name} IS NOT NULL THEN 0e0 END"
        )
    return made
