"""What makes one simulated system differ from the next: sizes, rates, set points, probes and phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, TypeAlias, get_type_hints

import numpy as np

Values: TypeAlias = np.ndarray


@dataclass(frozen=True)
class Character:
    """One value per system, shape [S]. Every value is drawn uniformly from the range in its annotation."""

    # Tank. Rates are those of leafy crops in small tanks: a day takes 7 to 15 % of the water and 12 to 22 % of the
    # salts, and raises pH by half a unit to one and a quarter.
    ph_rise_night: Annotated[Values, 0.010, 0.025]  # pH/h
    ph_rise_sun: Annotated[Values, 0.04, 0.10]  # pH/h in full sun
    ph_target: Annotated[Values, 5.75, 6.30]  # middle of the doser's hysteresis
    ph_hysteresis: Annotated[Values, 0.10, 0.20]  # pH either side
    acid_strength: Annotated[Values, 0.04, 0.08]  # pH per minute of dosing
    tds_target: Annotated[Values, 870.0, 1140.0]  # ppm at which dosing ends
    tds_hysteresis: Annotated[Values, 0.05, 0.09]  # share of the target below which dosing begins
    nutrient_strength: Annotated[Values, 0.010, 0.018]  # share of the target per minute of dosing
    uptake_night: Annotated[Values, 2.0, 4.0]  # ppm/h
    uptake_sun: Annotated[Values, 18.0, 30.0]  # ppm/h in full sun
    water_loss_night: Annotated[Values, 0.0005, 0.0015]  # share of the tank per hour
    water_loss_sun: Annotated[Values, 0.010, 0.020]  # share of the tank per hour, full sun, dry air
    refill_below: Annotated[Values, 0.86, 0.92]  # share of the tank
    mixing_minutes: Annotated[Values, 5.0, 12.0]  # time constant between a dose and the probe
    tap_ph: Annotated[Values, 7.1, 7.8]
    tap_tds: Annotated[Values, 80.0, 220.0]  # ppm
    water_hours: Annotated[Values, 3.0, 8.0]  # time constant between air and water
    # Air. A small bay with heavy thermal mass: one to three air changes an hour seen by temperature and vapour.
    sun_heat: Annotated[Values, 3.5, 5.5]  # K/h in full sun
    leakage: Annotated[Values, 0.25, 0.45]  # exchange with the outside, 1/h
    fan_exchange: Annotated[Values, 0.8, 1.4]  # more exchange while the fan is on, 1/h
    heater: Annotated[Values, 4.0, 6.0]  # K/h at full power
    night_target: Annotated[Values, 20.5, 23.0]  # degC that the heater keeps
    fan_on_above: Annotated[Values, 25.0, 27.5]  # degC
    fan_hysteresis: Annotated[Values, 1.5, 2.5]  # K
    transpiration_sun: Annotated[Values, 3.0, 5.0]  # g/m3/h in full sun, dry air
    humidifier_rate: Annotated[Values, 8.0, 14.0]  # g/m3/h
    humidity_low: Annotated[Values, 46.0, 54.0]  # %RH at which the humidifier starts
    humidity_hysteresis: Annotated[Values, 6.0, 10.0]  # %RH
    sun_delay: Annotated[Values, -0.7, 0.7]  # h, by the side of the house the system stands on
    # Probes.
    ph_noise: Annotated[Values, 0.015, 0.035]  # white, per reading
    ph_wander: Annotated[Values, 0.008, 0.018]  # sd of the slow part
    tds_noise: Annotated[Values, 0.6, 1.6]  # ppm
    tds_wander: Annotated[Values, 1.0, 4.0]  # ppm
    reading_phase: Annotated[Values, 0.2, 0.8]  # share of the cadence


def draw_characters(systems: int, seed: int, scale: Mapping[str, float] = MappingProxyType({})) -> Character:
    """Characters of `systems` systems; system i is the same whatever the number of systems.

    Fields named in `scale` are multiplied by it.
    """
    hints = get_type_hints(Character, include_extras=True)
    low, high = np.array([hint.__metadata__ for hint in hints.values()]).T
    drawn = np.stack([np.random.default_rng([seed, i]).uniform(low, high) for i in range(systems)], axis=1)  # [K, S]
    return Character(**{name: values * scale.get(name, 1.0) for name, values in zip(hints, drawn, strict=True)})
