"""A simulated farm: Gold readings of several hydroponic systems, for demonstrations and tests.

The physics with its equations and sources is in `balances` (tank and air), `weather` (outside) and `control` (dosers
and switches); what makes systems differ is in `character`, what goes wrong in `faults`.

Readings add white noise per reading and an Ornstein-Uhlenbeck wander (45 min) of the probe, and are rounded as the
devices report: pH and TDS 0.01, DHT22 0.1, DS18B20 1/16 degC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from hydro_assets.ingest.gold_rows import gold_readings
from hydro_assets.setting_groups import CropProfile
from hydro_assets.simulator.balances import SPIN_UP_HOURS, integrate
from hydro_assets.simulator.character import Character, draw_characters
from hydro_assets.simulator.faults import Faults, inject
from hydro_assets.simulator.weather import draw_weather, ornstein_uhlenbeck
from hydro_assets.tables import ACTUATOR_COLUMNS

_LONGEST_STEP = timedelta(minutes=1)
_SENSED = ("ph_level", "tds_level", "air_temperature", "air_humidity", "water_temperature")
_WANDER_HOURS = 0.75
_CLIMATE_NOISE = (0.07, 0.25, 0.05)  # degC, %RH, degC: white noise of DHT22 and DS18B20, well inside their data sheets
_RESOLUTION = np.array([0.01, 0.01, 0.1, 0.1, 0.0625])
_LEVEL_CODES = np.array([0.80, 0.88, 0.95])  # share of the tank at which the float code rises to 1, 2, 3
_WEATHER, _WANDER, _READING = 1, 2, 3  # streams of random numbers; separate, so that a later end changes none of them


def simulate(
    systems: int,
    start: datetime,
    end: datetime,
    seed: int,
    cadence: timedelta = timedelta(minutes=1),
    faults: Faults | None = None,
    *,
    timezone: str = "UTC",
    crop: CropProfile | None = None,
    scale: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Readings of `systems` systems in [start, end) every `cadence`, in the columns of `gold.iot_data`.

    `start` and `end` are instants (naive ones are UTC); `timestamp_key` is the wall clock of `timezone`, which the sun
    follows too. Rows come in order of arrival. Equal arguments give equal frames, a later `end` only adds rows, and a
    system's readings do not depend on how many systems there are. Without `faults` nothing goes wrong. `scale`
    multiplies fields of the drawn `Character`.
    """
    start, end = _instant(start), _instant(end)
    if systems < 1 or end <= start or cadence < timedelta(seconds=1):
        raise ValueError(f"need systems >= 1, start < end, cadence >= 1s; got {systems}, {start}, {end}, {cadence}")
    character = draw_characters(systems, seed, scale or {})
    readings = _probe_readings(character, start, end, seed, cadence, ZoneInfo(timezone))
    if faults is not None:
        readings = inject(readings, faults, seed)
    frame = readings.select(
        pl.exclude("taken", "delay_seconds"),
        pl.col("taken").dt.convert_time_zone(timezone).dt.replace_time_zone(None).alias("timestamp_key"),
        (pl.col("taken") + pl.duration(seconds="delay_seconds")).alias("ingestion_timestamp"),
        pl.lit("simulated_greenhouse").alias("source_file"),
    )
    bands = crop or CropProfile()  # type: ignore[call-arg]
    return gold_readings(frame, bands).sort("ingestion_timestamp", "system_id", "reading_id")


def _instant(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _probe_readings(
    character: Character, start: datetime, end: datetime, seed: int, cadence: timedelta, zone: ZoneInfo
) -> pl.DataFrame:
    """What the probes report: `taken` (UTC), measured columns and `delay_seconds`, sorted by system and time."""
    count = -(-(end - start) // cadence)
    substeps = -(-cadence // _LONGEST_STEP)
    step_hours = cadence / substeps / timedelta(hours=1)
    spin_up = round(SPIN_UP_HOURS / step_hours)
    local = start.astimezone(zone)
    hours = local.hour + local.minute / 60.0 + step_hours * np.arange(-spin_up, count * substeps)
    weather = draw_weather(hours, step_hours, np.random.default_rng([seed, 0, _WEATHER]))
    states, actuators = integrate(character, weather, hours, step_hours)
    at_reading = slice(spin_up, None, substeps)
    frames = [
        _one_system(character, i, states[at_reading, :, i], actuators[at_reading, :, i], start, seed, cadence)
        for i in range(len(character.ph_target))
    ]
    return pl.concat(frames).filter(pl.col("taken") < end)


def _one_system(
    character: Character,
    i: int,
    states: np.ndarray,
    actuators: np.ndarray,
    start: datetime,
    seed: int,
    cadence: timedelta,
) -> pl.DataFrame:
    """`states` [K, 6] and `actuators` [K, 5] of system `i` at its K readings, as its devices report them."""
    count = len(states)
    seconds = cadence.total_seconds()
    wander = ornstein_uhlenbeck(
        np.random.default_rng([seed, i, _WANDER]).standard_normal((count, 2)), seconds / 3600.0, _WANDER_HOURS
    )
    noise = np.random.default_rng([seed, i, _READING]).standard_normal((count, 7))
    scale = np.array([character.ph_noise[i], character.tds_noise[i], *_CLIMATE_NOISE])
    sensed = states[:, :5] + scale * noise[:, :5]
    sensed[:, :2] += wander * np.array([character.ph_wander[i], character.tds_wander[i]])
    sensed = np.round(np.round(sensed / _RESOLUTION) * _RESOLUTION, 4)
    jitter = np.clip(noise[:, 5], -2.0, 2.0) * min(0.05 * seconds, 1.0)
    offset = seconds * (np.arange(count) + character.reading_phase[i]) + jitter
    delay = np.minimum(3.0 * np.exp(0.4 * noise[:, 6]), 0.2 * seconds)
    return pl.DataFrame(
        {"reading_id": np.arange(1, count + 1), "second": np.floor(offset), "delay_seconds": delay}
        | dict(zip(_SENSED, sensed.T, strict=True))
        | {"water_level": np.searchsorted(_LEVEL_CODES, states[:, 5], side="right")}
        | dict(zip(ACTUATOR_COLUMNS, actuators.T, strict=True))
    ).select(
        pl.lit(f"system_{i + 1}").alias("system_id"),
        (pl.lit(start) + pl.duration(seconds="second")).alias("taken"),
        pl.exclude("second"),
    )
