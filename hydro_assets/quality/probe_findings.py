"""Probes that give values but no measurement: stuck, constant zero, or white noise."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hydro_assets.features.probes import NOISE_AUTOCORRELATION, NOISE_SHARE_OF_RANGE
from hydro_assets.quality.finding import Finding
from hydro_assets.tables import SENSOR

FEWEST_READINGS = 100


def dead_probes(readings: pl.DataFrame, gap_limit: timedelta) -> list[Finding]:
    """One finding per sensor over rows of `gold.iot_data` of any number of systems; warnings, as probes are cells.

    White noise: lag-1 autocorrelation of consecutive readings (no further apart than `gap_limit`) under 0.2 while
    the spread exceeds 1 % of the physical range; the inertia of water and air forbids that at any usual cadence.
    """
    system = pl.col("system_id") if "system_id" in readings.columns else pl.lit("")
    ordered = readings.with_columns(system.fill_null("").alias("system_id")).sort("system_id", "timestamp_key")
    return [_probe(ordered, name, gap_limit) for name in SENSOR if name in readings.columns]


def _probe(ordered: pl.DataFrame, name: str, gap_limit: timedelta) -> Finding:
    sensor = SENSOR[name]
    known = ordered.filter(pl.col(name).is_not_null() & pl.col(name).is_finite())
    faults: list[str] = []
    for (system,), rows in known.group_by("system_id", maintain_order=True):
        if rows.height < FEWEST_READINGS:
            continue
        fault = _fault(rows, name, gap_limit)
        if fault is not None:
            faults.append(f"{name}{f' of {system}' if system else ''} {fault}")
    if faults:
        return Finding(f"{name}_alive", False, "warn", "; ".join(faults), {"faults": faults})
    text = f"{name} moves as a {sensor.unit} probe does" if known.height else f"{name} has no value to judge"
    return Finding(f"{name}_alive", True, "warn", text)


def _fault(rows: pl.DataFrame, name: str, gap_limit: timedelta) -> str | None:
    sensor, values = SENSOR[name], rows[name]
    assert sensor.low is not None
    assert sensor.high is not None
    if values.n_unique() == 1:
        zero = values[0] == 0
        return f"is {'a constant zero: a disconnected probe' if zero else f'stuck at {values[0]:g}'} in {rows.height:,}"
    possible = rows.filter(pl.col(name).is_between(sensor.low, sensor.high))
    pairs = possible.select(
        pl.col(name).alias("y"),
        pl.col(name).shift(1).alias("before"),
        (pl.col("timestamp_key").diff() <= gap_limit).alias("near"),
    ).filter("near")
    spread = possible.select(pl.col(name).std()).item()
    if pairs.height < FEWEST_READINGS or spread <= NOISE_SHARE_OF_RANGE * (sensor.high - sensor.low):
        return None
    lag1 = pairs.select(pl.corr("y", "before")).item()
    if lag1 is None or not lag1 < NOISE_AUTOCORRELATION:
        return None
    return f"is white noise (lag-1 correlation {lag1:.3f} in {pairs.height:,} readings): not a measurement"
