"""The controllers of a simulated system: hysteresis switches and pulse dosers, vectorised over systems [S]."""

from __future__ import annotations

import numpy as np

DOSE_MINUTES = 2.0
PAUSE_MINUTES = 18.0  # dosers wait until a dose has mixed, else they overshoot


class Switch:
    """On from `start` until `stop`: a thermostat, humidistat or float valve."""

    def __init__(self, systems: int) -> None:
        self.on = np.zeros(systems, dtype=bool)

    def update(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        self.on = (self.on | start) & ~stop
        return self.on


class Doser:
    """From `start` until `stop` doses in pulses of `DOSE_MINUTES`, each followed by `PAUSE_MINUTES` of mixing."""

    def __init__(self, systems: int, step_minutes: float) -> None:
        self._wanted = Switch(systems)
        self._timer = np.zeros(systems)
        self._step = step_minutes

    def update(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        self._timer = self._timer - self._step
        half = 0.5 * self._step  # steps of ten seconds do not add up to minutes exactly
        begins = self._wanted.update(start, stop) & (self._timer < half)
        self._timer = np.where(begins, DOSE_MINUTES + PAUSE_MINUTES, self._timer)
        return self._timer > PAUSE_MINUTES + half
