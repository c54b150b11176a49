"""Scales fitted on training rows only and stored with the model: of a learner's inputs, and of what it predicts.

Both are per system; a system that training did not see, or hardly saw, gets the scale of all systems together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

POOLED = ""  # key of the scale of all systems together
CLIP = 5.0  # scaled inputs end here: a regime the model never saw must not drive it arbitrarily far
MINIMUM_ROWS = 100


@dataclass(frozen=True)
class InputScaler:
    """`(x - median) / standard deviation`, per system and input; a constant input has scale 1.

    Attributes:
        names: inputs in order, F of them.
        centre, scale: per system (and POOLED) one [F] array.
    """

    names: tuple[str, ...]
    centre: dict[str, np.ndarray]
    scale: dict[str, np.ndarray]

    @classmethod
    def fit(cls, names: Sequence[str], values: np.ndarray, systems: np.ndarray) -> Self:
        """Fit on [n, F] training values."""
        centre, scale = {}, {}
        for system, mine in _groups(systems):
            if system == POOLED or mine.sum() >= MINIMUM_ROWS:
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


@dataclass(frozen=True)
class TargetScaler:
    """Mean absolute size of a change, per system: the unit in which changes are learned; 1 where nothing changes.

    Attributes:
        scale: per system (and POOLED) an array of the shape of one row of changes, [H] or [K, H].
    """

    scale: dict[str, np.ndarray]

    @classmethod
    def fit(cls, changes: np.ndarray, systems: np.ndarray) -> Self:
        """Fit on [n, ..] training changes, NaN where unknown."""
        scale: dict[str, np.ndarray] = {}
        for system, mine in _groups(systems):
            known = ~np.isnan(changes[mine])
            count = known.sum(axis=0)
            size = np.where(known, np.abs(changes[mine]), 0).sum(axis=0) / np.maximum(count, 1)
            pooled = scale.get(POOLED, np.where(size > 0, size, 1.0))
            scale[system] = np.where((count >= MINIMUM_ROWS) & (size > 0), size, pooled)
        return cls(scale)

    def of(self, systems: np.ndarray) -> np.ndarray:
        """[n, ..] the scale of each row."""
        names, index = np.unique(systems.astype(str), return_inverse=True)
        keys = [n if n in self.scale else POOLED for n in names]
        return np.stack([self.scale[k] for k in keys] or [self.scale[POOLED]])[index]

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {s: v.tolist() for s, v in self.scale.items()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls({s: np.array(v) for s, v in state.items()})


def _groups(systems: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield POOLED, np.ones(systems.size, bool)
    for system in sorted(set(systems)):
        yield str(system), systems == system


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
