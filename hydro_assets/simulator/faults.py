"""What goes wrong on real farms, injected into simulated readings by a seeded plan.

Episodes (one system, from `start` to `end`) are drawn day by day, so a longer simulation holds the same ones; rates are
expected episodes per system and day:

| fault | what it does | how long |
|---|---|---|
| gap | no readings: power, network or logger down | 5 min to 24 h, log-uniform |
| stuck | one probe repeats its last value | 1 to 8 h |
| noisy | one probe has ten times its usual noise: loose contact | 1 to 6 h |
| zeros | one probe reports 0 in place of nothing | 1 to 30 min |
| saturated | one probe sits at the end of its range | 30 min to 3 h |
| spike | one reading outside the physical range | one reading |
| late | readings are buffered and arrive together, hours later | 30 min to 6 h, then 1 to 12 h of waiting |

Shares of single readings: `duplicates` arrive twice (same reading_id, same values), `twins` exist twice (another
reading_id, pH one digit further), `out_of_order` arrive one to ten minutes late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.tables import SENSOR, ZERO_IS_PLACEHOLDER

TWIN_ID_OFFSET = 1_000_000_000
_HOUR = 3600.0
_PROBES = ("ph_level", "tds_level", "air_temperature", "air_humidity", "water_temperature")
_NOISY_SD = {"ph_level": 0.3, "tds_level": 12.0, "air_temperature": 0.8, "air_humidity": 3.0, "water_temperature": 0.6}
_DURATIONS: dict[str, tuple[float, float]] = {  # seconds, log-uniform
    "gap": (300.0, 24 * _HOUR),
    "stuck": (_HOUR, 8 * _HOUR),
    "noisy": (_HOUR, 6 * _HOUR),
    "zeros": (60.0, 1800.0),
    "saturated": (1800.0, 3 * _HOUR),
    "spike": (1.0, 1.0),
    "late": (1800.0, 6 * _HOUR),
}
_EPISODE, _NOISE, _SINGLE = 11, 12, 13  # streams of random numbers beside those of the simulator


@dataclass(frozen=True)
class Faults:
    """How often things go wrong: episodes per system and day, then shares of single readings."""

    gap: float = 0.15
    stuck: float = 0.08
    noisy: float = 0.08
    zeros: float = 0.15
    saturated: float = 0.04
    spike: float = 1.5
    late: float = 0.10
    duplicates: float = 0.001
    twins: float = 0.0005
    out_of_order: float = 0.002

    def __post_init__(self) -> None:
        for f in fields(self):
            rate = getattr(self, f.name)
            if not 0.0 <= rate <= (1.0 if f.name not in _DURATIONS else 100.0):
                raise ValueError(f"Faults.{f.name} is {rate}: rates are 0 to 100 a day, shares 0 to 1")

    @classmethod
    def none(cls) -> Faults:
        return cls(**{f.name: 0.0 for f in fields(cls)})


@dataclass(frozen=True)
class Episode:
    """One fault of one system, half-open [start, end) in UTC; `probe` is None where all of the system is concerned."""

    kind: str
    system: int
    probe: str | None
    start: datetime
    end: datetime
    seed: tuple[int, ...]


def plan_episodes(faults: Faults, seed: int, system: int, days: Iterable[date]) -> list[Episode]:
    """Episodes that begin on `days` in system number `system`, in order of kind and time."""
    days = sorted(days)
    episodes = []
    for number, (kind, (shortest, longest)) in enumerate(_DURATIONS.items()):
        probes: list[str] = sorted(ZERO_IS_PLACEHOLDER & set(_PROBES)) if kind == "zeros" else list(_PROBES)
        for day in days:
            rng = np.random.default_rng([seed, system, _EPISODE, number, day.toordinal()])
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            for i in range(rng.poisson(getattr(faults, kind))):
                start = midnight + timedelta(seconds=rng.uniform(0.0, 86400.0))
                length = timedelta(seconds=float(np.exp(rng.uniform(np.log(shortest), np.log(longest)))))
                probe = None if kind in ("gap", "late") else probes[rng.integers(len(probes))]
                own_seed = (seed, system, _NOISE, number, day.toordinal(), i)
                episodes.append(Episode(kind, system, probe, start, start + length, own_seed))
    return episodes


def inject(readings: pl.DataFrame, faults: Faults, seed: int) -> pl.DataFrame:
    """Readings with faults in them.

    `readings` has system_id, taken (UTC), reading_id, the probes and delay_seconds, sorted by system and time; the
    same comes back, with rows lost and added.
    """
    systems = readings.partition_by("system_id", maintain_order=True)
    return pl.concat([_inject_one(frame, faults, seed, i) for i, frame in enumerate(systems)])


def _inject_one(frame: pl.DataFrame, faults: Faults, seed: int, system: int) -> pl.DataFrame:
    columns = {name: frame[name].to_numpy().copy() for name in (*_PROBES, "delay_seconds")}
    taken = frame["taken"].dt.epoch("us").to_numpy() / 1e6
    lost = np.zeros(len(frame), dtype=bool)
    for episode in plan_episodes(faults, seed, system, frame["taken"].dt.date().unique()):
        first, last = np.searchsorted(taken, [episode.start.timestamp(), episode.end.timestamp()])
        if episode.kind == "gap":
            lost[first:last] = True
        elif first < len(frame):
            _apply(episode, columns, taken, slice(first, first + 1 if episode.kind == "spike" else last))
    single = np.random.default_rng([seed, system, _SINGLE]).random((len(frame), 4))
    columns["delay_seconds"] += np.where(single[:, 0] < faults.out_of_order, 60.0 + 540.0 * single[:, 3], 0.0)
    frame = frame.with_columns(pl.Series(name, values) for name, values in columns.items())
    resent = frame.filter((single[:, 1] < faults.duplicates) & ~lost).with_columns(pl.col("delay_seconds") + 30.0)
    twins = frame.filter((single[:, 2] < faults.twins) & ~lost).with_columns(
        pl.col("reading_id") + TWIN_ID_OFFSET, (pl.col("ph_level") + 0.01).round(2)
    )
    return pl.concat([frame.filter(~lost), resent, twins])


def _apply(episode: Episode, columns: dict[str, np.ndarray[Any, Any]], taken: np.ndarray, rows: slice) -> None:
    rng = np.random.default_rng(episode.seed)
    if episode.probe is None:
        arrival = episode.end.timestamp() + rng.uniform(_HOUR, 12 * _HOUR)
        columns["delay_seconds"][rows] = arrival - taken[rows] + columns["delay_seconds"][rows]
        return
    values = columns[episode.probe]
    sensor = SENSOR[episode.probe]
    low, high = sensor.low or 0.0, sensor.high or 0.0
    if episode.kind == "stuck":
        values[rows] = values[rows.start]
    elif episode.kind == "noisy":
        noise = rng.standard_normal(len(values[rows])) * _NOISY_SD[episode.probe]
        values[rows] = np.clip(np.round(values[rows] + noise, 2), low, high)
    elif episode.kind == "zeros":
        values[rows] = 0.0
    elif episode.kind == "saturated":
        values[rows] = high
    else:
        beyond = rng.uniform(0.05, 0.5) * (high - low)
        values[rows] = round(high + beyond if rng.random() < 0.7 else low - beyond, 2)
