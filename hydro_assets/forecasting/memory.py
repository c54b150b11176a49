"""What was computed of rows that stay: a process that forecasts each new row of one system computes the new row alone.

What a package computes of a row depends on that row and its past, so it holds as long as no earlier row changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np


class RowMemory:
    """Values of the rows of one system by name and time. Whoever changes an earlier row begins with a new one."""

    def __init__(self) -> None:
        self._held: dict[Hashable, dict[int, np.ndarray]] = {}

    def of(self, name: Hashable, times: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """[n, ..] values of the rows at `times` [n]; `compute` gives those that are not known from their positions."""
        held = self._held.setdefault(name, {})
        keys = times.tolist()
        new = [i for i, key in enumerate(keys) if key not in held]
        if new:
            held.update(zip([keys[i] for i in new], compute(np.array(new)), strict=True))
        return np.stack([held[key] for key in keys])

    def keep(self, start: int, end: int) -> None:
        """Drop the rows that do not lie in [start, end), microseconds since 1970."""
        for held in self._held.values():
            for key in [key for key in held if not start <= key < end]:
                del held[key]
