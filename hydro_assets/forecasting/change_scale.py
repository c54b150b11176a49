"""The unit in which a learner forecasts: per system and horizon, the mean absolute size of what is forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from hydro_assets.forecasting.scaler import POOLED


@dataclass(frozen=True)
class ChangeScale:
    """`(value - centre) / scale` per system and horizon; the mean absolute value is the scale, 1 if all are equal."""

    centre: dict[str, np.ndarray]
    scale: dict[str, np.ndarray]

    @classmethod
    def fit(cls, values: np.ndarray, systems: np.ndarray, centred: bool, minimum_rows: int = 100) -> Self:
        """Fit on [n, H] training values; `centred` takes the median away first (for levels, not for changes)."""
        groups = {POOLED: np.ones(systems.size, bool)}
        groups |= {str(s): systems == s for s in sorted(set(systems))}
        centre, scale = {}, {}
        for system, mine in groups.items():
            known = ~np.isnan(values[mine])
            if system != POOLED and known.sum(axis=0).min() < minimum_rows:
                continue
            count = np.maximum(known.sum(axis=0), 1)
            middle = np.nanmedian(values[mine], axis=0) if centred else np.zeros(values.shape[1])
            size = np.where(known, np.abs(values[mine] - middle), 0).sum(axis=0) / count
            centre[system], scale[system] = middle, np.where(size > 0, size, 1.0)
        return cls(centre, scale)

    def scaled(self, values: np.ndarray, systems: np.ndarray) -> np.ndarray:
        """[n, H] in the target's unit -> [n, H] float32 without unit."""
        centre, scale = self._of(systems)
        return ((values - centre) / scale).astype(np.float32)

    def unscaled(self, values: np.ndarray, systems: np.ndarray) -> np.ndarray:
        """[n, H] without unit -> [n, H] in the target's unit."""
        centre, scale = self._of(systems)
        return values * scale + centre

    def _of(self, systems: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        names, index = np.unique(systems.astype(str), return_inverse=True)
        keys = [n if n in self.scale else POOLED for n in names]
        if not keys:
            return self.centre[POOLED][None], self.scale[POOLED][None]
        return np.stack([self.centre[k] for k in keys])[index], np.stack([self.scale[k] for k in keys])[index]

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads back exactly."""
        return {
            "centre": {s: v.tolist() for s, v in self.centre.items()},
            "scale": {s: v.tolist() for s, v in self.scale.items()},
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Self:
        return cls(
            {s: np.array(v) for s, v in state["centre"].items()}, {s: np.array(v) for s, v in state["scale"].items()}
        )
