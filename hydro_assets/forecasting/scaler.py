"""Centre and scale of each input, per system, fitted on training rows only and stored with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

POOLED = ""  # key of the scale of all systems together, used for a system that training did not see
CLIP = 5.0  # scaled inputs end here: a regime the model never saw must not drive it arbitrarily far


@dataclass(frozen=True)
class SystemScaler:
    """`(x - median) / standard deviation`, per system and input; a constant input has scale 1.

    Attributes:
        names: inputs in order, F of them.
        centre, scale: per system (and POOLED) one [F] array.
    """

    names: tuple[str, ...]
    centre: dict[str, np.ndarray]
    scale: dict[str, np.ndarray]

    @classmethod
    def fit(cls, names: Sequence[str], values: np.ndarray, systems: np.ndarray, minimum_rows: int = 100) -> Self:
        """Fit on [n, F] training values; a system with fewer than `minimum_rows` uses the pooled scale."""
        groups = {POOLED: np.ones(systems.size, bool)}
        groups |= {str(s): systems == s for s in sorted(set(systems))}
        centre, scale = {}, {}
        for system, mine in groups.items():
            if system == POOLED or mine.sum() >= minimum_rows:
                centre[system], scale[system] = _centre_and_scale(values[mine])
        for system in centre:
            empty = np.isnan(centre[system])
            centre[system] = np.where(empty, centre[POOLED], centre[system])
            scale[system] = np.where(empty, scale[POOLED], scale[system])
        return cls(tuple(names), centre, scale)

    def transform(self, values: np.ndarray, systems: np.ndarray) -> np.ndarray:
        """[n, F] -> [n, F] scaled and clipped float32; NaN stays NaN."""
        result = np.empty(values.shape, np.float32)
        for system in set(systems):
            key = str(system) if str(system) in self.centre else POOLED
            mine = systems == system
            result[mine] = np.clip((values[mine] - self.centre[key]) / self.scale[key], -CLIP, CLIP)
        return result

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {
            "names": list(self.names),
            "centre": {s: v.tolist() for s, v in self.centre.items()},
            "scale": {s: v.tolist() for s, v in self.scale.items()},
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(
            tuple(state["names"]),
            {s: np.array(v) for s, v in state["centre"].items()},
            {s: np.array(v) for s, v in state["scale"].items()},
        )


def _centre_and_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
    for j in range(values.shape[1]):
        known = values[:, j][~np.isnan(values[:, j])]
        if known.size == 0:
            centre[j] = np.nan
            continue
        centre[j] = np.median(known)
        spread = known.std()
        scale[j] = spread if spread > 1e-9 * max(1.0, abs(centre[j])) else 1.0
    return centre, scale
