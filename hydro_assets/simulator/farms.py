"""Eight simulated farms of different character: what the benchmark of forecasts runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from hydro_assets.simulator.faults import Faults
from hydro_assets.simulator.greenhouse import simulate

START = datetime(2026, 3, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class FarmKind:
    """One farm of the benchmark.

    Attributes:
        scale: fields of the simulated systems' character, and the factor they are multiplied by.
        jumps_per_day: how often pH and TDS jump and stay there: a probe is cleaned, moved or calibrated.
        resolution: smallest step that a probe reports, by column.
    """

    name: str
    cadence: timedelta
    days: int
    systems: int = 1
    scale: Mapping[str, float] = field(default_factory=dict)
    jumps_per_day: float = 0.0
    resolution: Mapping[str, float] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults.none)

    def readings(self, seed: int) -> pl.DataFrame:
        """Readings in the columns of `gold.iot_data`; equal for equal seeds."""
        end = START + timedelta(days=self.days)
        frame = simulate(self.systems, START, end, seed, self.cadence, self.faults, scale=self.scale)
        if self.jumps_per_day:
            frame = pl.concat(
                _with_jumps(part, self.jumps_per_day, np.random.default_rng([seed, number, 21]))
                for number, part in enumerate(frame.partition_by("system_id", maintain_order=True))
            )
        rounded = [((pl.col(c) / r).round() * r).alias(c) for c, r in self.resolution.items()]
        return frame.with_columns(rounded)


FARMS: tuple[FarmKind, ...] = (
    FarmKind("quiet", _MINUTE, 5, scale={"ph_noise": 0.3, "tds_noise": 0.3, "ph_wander": 0.3, "uptake_sun": 0.5}),
    FarmKind("dosed", _MINUTE, 5, scale={"ph_rise_sun": 2.5, "ph_rise_night": 2.5, "ph_hysteresis": 0.4}),
    FarmKind("noisy_probe", _MINUTE, 5, scale={"ph_noise": 5, "tds_noise": 8}, faults=Faults(gap=0.3, noisy=0.5)),
    FarmKind("several_systems", _MINUTE, 4, systems=3, faults=Faults()),
    FarmKind("daily_cycle", 5 * _MINUTE, 21, scale={"sun_heat": 1.5, "fan_exchange": 0.4, "heater": 0.4}),
    FarmKind("jumps", 5 * _MINUTE, 21, jumps_per_day=3, faults=Faults(gap=0.3)),
    FarmKind("coarse", 5 * _MINUTE, 21, resolution={"ph_level": 0.1, "tds_level": 10, "air_temperature": 0.5}),
    FarmKind("hourly", timedelta(hours=1), 75),
)


def _with_jumps(frame: pl.DataFrame, per_day: float, draw: np.random.Generator) -> pl.DataFrame:
    """pH and TDS of one system with offsets that change at random times; ranges of a real farm are kept."""
    frame = frame.sort("timestamp_key")
    steps = max(frame.height, 1)
    days = (frame["timestamp_key"].max() - frame["timestamp_key"].min()) / timedelta(days=1)  # type: ignore[operator]
    shifted = []
    for column, size in (("ph_level", 0.25), ("tds_level", 60.0)):
        jumps = np.where(draw.random(steps) < per_day * days / steps, draw.normal(size=steps) * size, 0.0)
        offset = np.zeros(steps)
        for i in range(1, steps):  # an offset decays by a third with each jump: it does not wander off
            offset[i] = offset[i - 1] if jumps[i] == 0 else 0.67 * offset[i - 1] + jumps[i]
        shifted.append((pl.col(column) + pl.Series(offset)).round(2).alias(column))
    return frame.with_columns(shifted)
