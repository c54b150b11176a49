"""Weather outside the simulated greenhouse: sun, temperature and vapour of the air, one series for all systems.

- Sun, share of full: the half sine of a 14 h day, `max(0, sin(pi (h - 5) / 14))`, dimmed to a quarter by full cloud;
  cloud cover is a logistic Ornstein-Uhlenbeck process (time constant 2 h).
- Temperature: `17 + 6 cos(2 pi (h - 15) / 24)` degC plus an Ornstein-Uhlenbeck process (sd 2 K, 36 h) for weather
  systems. The daily wave peaks three hours after noon (Campbell & Norman, An Introduction to Environmental
  Biophysics, ch. 2).
- Vapour: 9 g/m3 plus an Ornstein-Uhlenbeck process (sd 1 g/m3, 24 h), never above saturation.
- Saturation vapour density: Magnus formula e_s = 6.112 exp(17.62 T / (243.12 + T)) hPa (WMO-No. 8, annex 4.B) and the
  gas law, 216.7 e_s / (T + 273.15) g/m3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weather:
    """Series of N time steps. `cloud` is a share of 0..1, shape [N], as are the others."""

    cloud: np.ndarray
    temperature: np.ndarray  # degC
    vapour: np.ndarray  # g/m3


def saturation_vapour(temperature: np.ndarray) -> np.ndarray:
    """Vapour density of saturated air, g/m3, at `temperature` in degC."""
    return 216.7 * 6.112 * np.exp(17.62 * temperature / (243.12 + temperature)) / (temperature + 273.15)


def sunlight(hour: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Share of full sun at `hour` of day (0..24) under `cloud` cover (0..1)."""
    return np.maximum(0.0, np.sin(np.pi * (hour % 24.0 - 5.0) / 14.0)) * (1.0 - 0.75 * cloud)


def ornstein_uhlenbeck(noise: np.ndarray, step_hours: float, time_constant: np.ndarray | float) -> np.ndarray:
    """Unit-variance mean-reverting series driven by white `noise`, shape [N, ...], exact for its step.

    x[k+1] = a x[k] + sqrt(1 - a^2) e[k] with a = exp(-step / time constant) (Uhlenbeck & Ornstein 1930).
    """
    keep = np.exp(-step_hours / np.asarray(time_constant))
    kick = np.sqrt(1.0 - keep**2) * noise
    series = np.empty_like(noise)
    state = noise[0]
    for k in range(len(noise)):
        series[k] = state = keep * state + kick[k]
    return series


def draw_weather(hours: np.ndarray, step_hours: float, rng: np.random.Generator) -> Weather:
    """Weather at wall-clock `hours` (hours since a midnight), shape [N]; a longer series begins like a shorter one."""
    slow = ornstein_uhlenbeck(rng.standard_normal((len(hours), 3)), step_hours, np.array([2.0, 36.0, 24.0]))  # [N, 3]
    temperature = 17.0 + 6.0 * np.cos(2.0 * np.pi * (hours - 15.0) / 24.0) + 2.0 * slow[:, 1]
    vapour = np.clip(9.0 + slow[:, 2], 2.0, 0.98 * saturation_vapour(temperature))
    return Weather(1.0 / (1.0 + np.exp(-1.5 * slow[:, 0])), temperature, vapour)
