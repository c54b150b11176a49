"""The feature table of one system the slow, obvious way: loops over rows, pandas and numpy on the slice of each window.

Written from the definitions in columns.py, not from the production code. UTC farms only.
"""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.tables import SENSOR, ZERO_IS_PLACEHOLDER

DAY_MINUTES = 1440


def reference_features(gold: pd.DataFrame, spec: FeatureSpec, system_id: str) -> pd.DataFrame:
    """Rows of `sensor_features` of one system; None where a value is unknown."""
    steps = _steps(gold, spec)
    ks = sorted(steps)
    rows = []
    segments = _segments(ks, spec.gap_limit // spec.step)
    _blank_dead_cells(segments, steps, spec)
    for segment in segments:
        for k in segment:
            rows.append(_row(k, segment[0], steps, ks, spec) | {"system_id": system_id})
    return pd.DataFrame(rows)


def _steps(gold: pd.DataFrame, spec: FeatureSpec) -> dict[int, dict[str, Any]]:
    """Step number -> its readings' aggregates."""
    step_seconds = spec.step.total_seconds()
    by_step: dict[int, list[Any]] = {}
    for _, reading in gold.sort_values(["timestamp_key", "ingestion_timestamp", "reading_id"]).iterrows():
        seconds = (reading["timestamp_key"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
        by_step.setdefault(math.floor(seconds / step_seconds), []).append(reading)
    made = {}
    for k, readings in by_step.items():
        distinct = _merged(readings)
        step: dict[str, Any] = {
            "reading_count": len(distinct),
            "known_at": max(r["ingestion_timestamp"] for r in distinct),
            "water_level": _last([r["water_level"] for r in distinct]),
        }
        for name in spec.sensors:
            step |= _sensor_step(name, [r[name] for r in distinct])
        for name in spec.actuators:
            step[name] = _last([r[name] for r in distinct])
        made[k] = step
    return made


def _sensor_step(name: str, cells: list[Any]) -> dict[str, Any]:
    low, high = SENSOR[name].low, SENSOR[name].high
    assert low is not None
    assert high is not None
    valid, outside, zero, saturated = [], False, False, False
    for cell in cells:
        if cell is None:
            continue
        if cell == 0 and name in ZERO_IS_PLACEHOLDER:
            zero = True
        elif not math.isfinite(cell) or not low <= cell <= high:
            outside = True
        elif cell in (low, high):
            saturated = True
        else:
            valid.append(cell)
    return {
        name: float(np.mean(valid)) if valid else None,
        f"{name}_min": min(valid, default=None),
        f"{name}_max": max(valid, default=None),
        f"{name}_std": float(np.std(valid)) if valid else None,
        f"{name}_count": len(valid),
        f"is_{name}_out_of_range": outside,
        f"is_{name}_placeholder_zero": zero,
        f"is_{name}_saturated": saturated,
    }


def _merged(readings: list[Any]) -> list[dict[str, Any]]:
    """One reading per instant: of each column the last that is known."""
    made: dict[Any, dict[str, Any]] = {}
    for reading in readings:
        merged = made.setdefault(reading["timestamp_key"], dict.fromkeys(reading.index))
        merged |= {name: cell for name, cell in reading.items() if cell is not None}
    return list(made.values())


def _blank_dead_cells(segments: list[list[int]], steps: dict[int, dict[str, Any]], spec: FeatureSpec) -> None:
    """Flags from the cells as they were measured, then null where a flag stands."""
    flags = {
        (k, name): _health(name, k, segment[0], steps, spec)
        for segment in segments
        for k in segment
        for name in spec.sensors
    }
    for (k, name), found in flags.items():
        steps[k] |= found
        if any(found.values()):
            steps[k] |= dict.fromkeys((name, f"{name}_min", f"{name}_max", f"{name}_std")) | {f"{name}_count": 0}


def _last(values: list[Any]) -> Any:
    known = [v for v in values if v is not None]
    return known[-1] if known else None


def _segments(ks: list[int], gap_steps: int) -> list[list[int]]:
    made = [[ks[0]]]
    for before, k in itertools.pairwise(ks):
        if k - before > gap_steps:
            made.append([])
        made[-1].append(k)
    return made


def _row(k: int, first: int, steps: dict[int, dict[str, Any]], ks: list[int], spec: FeatureSpec) -> dict[str, Any]:
    step_minutes = spec.step / timedelta(minutes=1)
    timestamp = pd.Timestamp(0, tz="UTC") + k * pd.Timedelta(spec.step)
    row = {"timestamp": timestamp, "date": timestamp.date(), **steps[k]}
    row["known_at"] = row["known_at"].tz_localize("UTC")

    def value(name: str, at: int) -> Any:
        return steps[at][name] if at >= first and at in steps else None

    def window(name: str, width: int) -> list[tuple[int, Any]]:
        return [(at, value(name, at)) for at in range(k - width + 1, k + 1) if value(name, at) is not None]

    position = ks.index(k)
    minutes = (k - ks[position - 1]) * step_minutes if position else None
    row["minutes_since_previous"] = minutes if minutes is not None and minutes <= DAY_MINUTES else None
    for name in spec.sensors:
        for lag, n in spec.lags:
            row[f"{name}_lag_{lag}"] = value(name, k - n)
        row[f"{name}_change_per_min"] = _change(name, k, first, value, step_minutes)
        for label, width in spec.windows:
            known = window(name, width)
            enough = len(known) >= max(2, math.ceil(width * spec.min_window_coverage))
            ys = np.array([y for _, y in known])
            hours = np.array([(at - k) * step_minutes / 60 for at, _ in known])
            row[f"{name}_mean_{label}"] = ys.mean() if enough else None
            row[f"{name}_std_{label}"] = ys.std(ddof=1) if enough else None
            row[f"{name}_min_{label}"] = ys.min() if enough else None
            row[f"{name}_max_{label}"] = ys.max() if enough else None
            row[f"{name}_slope_{label}"] = np.polyfit(hours, ys, 1)[0] if enough else None
            if name in spec.bands:
                low, high = spec.bands[name]
                row[f"{name}_share_in_band_{label}"] = ((ys >= low) & (ys <= high)).mean() if enough else None
        if name in spec.bands:
            row[f"{name}_band_distance"] = _band_distance(row[name], *spec.bands[name])
    for name in spec.actuators:
        stem = name.removeprefix("is_").removesuffix("_on")
        on = next((at for at in range(k, first - 1, -1) if value(name, at)), None)
        since = None if on is None else (k - on) * step_minutes
        row[f"{stem}_minutes_since_on"] = since if since is not None and since <= DAY_MINUTES else None
        for label, width in spec.windows:
            states = [state for _, state in window(name, width)]
            enough = len(states) >= max(2, math.ceil(width * spec.min_window_coverage))
            row[f"{stem}_share_on_{label}"] = np.mean(states) if enough else None
    for label, width in spec.windows:
        seen = sum(at in steps and at >= first for at in range(k - width + 1, k + 1))
        row[f"missing_share_{label}"] = 1 - seen / width
    row |= _calendar(timestamp)
    row["is_env_optimal"] = _optimal(row, spec)
    return row


def _change(name: str, k: int, first: int, value: Any, step_minutes: float) -> float | None:
    if value(name, k) is None:
        return None
    for at in range(k - 1, first - 1, -1):
        if (k - at) * step_minutes > DAY_MINUTES:
            return None
        if value(name, at) is not None:
            return (value(name, k) - value(name, at)) / ((k - at) * step_minutes)
    return None


def _health(name: str, k: int, first: int, steps: dict[int, dict[str, Any]], spec: FeatureSpec) -> dict[str, bool]:
    """Stuck: no change over 3 h, over 24 h for a coarse probe. Noise only: 6 h of lag-1 correlation under 0.2, wide."""
    span = SENSOR[name].high - SENSOR[name].low  # type: ignore[operator]

    def known(width: int) -> list[tuple[int, dict[str, Any]]]:
        ats = range(max(k - width + 1, first), k + 1)
        return [(at, steps[at]) for at in ats if at in steps and steps[at][name] is not None]

    def width_of(hours: int) -> int:
        return max(int(timedelta(hours=hours) / spec.step), 6)

    def least_of(width: int) -> int:
        return max(2, math.ceil(width * spec.min_window_coverage))

    changes, decimals = [], []
    for at, step in known(width_of(24)):
        low, high = step[f"{name}_min"], step[f"{name}_max"]
        before = steps.get(at - 1, {}).get(f"{name}_max") if at - 1 >= first else None
        changes += [c for c in (high - low, abs(high - before) if before is not None else 0) if c > 0]
        decimals.append(next((10.0**-d for d in range(4) if abs(high - round(high, d)) < 1e-9), 0.0001))
    resolution = min(changes or decimals, default=None)
    stuck_width = width_of(3 if resolution is not None and resolution <= span / 500 else 24)
    recent = known(stuck_width)
    lows, highs = [s[f"{name}_min"] for _, s in recent], [s[f"{name}_max"] for _, s in recent]
    is_stuck = len(recent) >= least_of(stuck_width) and max(highs) == min(lows)

    noise_width = width_of(6)
    values = {at: step[name] for at, step in known(noise_width)}
    # The window holds the pair of its first step and the step before it, too.
    before = steps.get(k - noise_width, {}).get(name) if k - noise_width >= first else None
    earlier = values | ({k - noise_width: before} if before is not None else {})
    pairs = [(y, earlier[at - 1]) for at, y in values.items() if at - 1 in earlier]
    is_noise = False
    if len(pairs) >= least_of(noise_width) and np.std(list(values.values()), ddof=1) > 0.01 * span:
        a, b = np.array(pairs).T
        is_noise = bool(np.corrcoef(a, b)[0, 1] < 0.2)
    return {f"is_{name}_stuck": bool(is_stuck), f"is_{name}_noise_only": is_noise}


def _band_distance(y: float | None, low: float, high: float) -> float | None:
    if y is None:
        return None
    return y - low if y < low else y - high if y > high else 0.0


def _calendar(timestamp: pd.Timestamp) -> dict[str, Any]:
    day = 2 * math.pi * (timestamp - timestamp.normalize()) / pd.Timedelta(days=1)
    week = 2 * math.pi * timestamp.weekday() / 7
    return {
        "hour_sin": math.sin(day),
        "hour_cos": math.cos(day),
        "weekday_sin": math.sin(week),
        "weekday_cos": math.cos(week),
        "is_weekend": timestamp.weekday() >= 5,
    }


def _optimal(row: dict[str, Any], spec: FeatureSpec) -> bool | None:
    judged = [
        None if row[name] is None else spec.bands[name][0] <= row[name] <= spec.bands[name][1]
        for name in spec.environment_sensors
    ]
    if False in judged:
        return False
    return None if None in judged else True
