"""What was forecast, beside what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """Forecasts of [n] rows beside what came; NaN where unknown.

    Attributes:
        times: [n] microseconds since 1970 UTC; systems: [n].
        truth: [n, H]; forecasts: [n, H] of persistence, short_mean and the model.
        half_width: [L, n, H] half widths of the model's intervals, for `conformal.LEVELS`.
        optimal, probability: [n, H] state of the environment that came, and what was said of it.
    """

    times: np.ndarray
    systems: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    half_width: np.ndarray
    optimal: np.ndarray
    probability: np.ndarray

    def of(self, rows: np.ndarray) -> Outcomes:
        """The outcomes of some rows."""
        return Outcomes(
            self.times[rows],
            self.systems[rows],
            self.truth[rows],
            {name: forecast[rows] for name, forecast in self.forecasts.items()},
            self.half_width[:, rows],
            self.optimal[rows],
            self.probability[rows],
        )

    def groups(self) -> list[tuple[tuple[str, ...], np.ndarray]]:
        """Names and [n] mask: of all systems together (`all`), and of each; where there is one, it is both."""
        names = sorted(map(str, set(self.systems)))
        everyone = np.ones(self.systems.size, bool)
        if len(names) == 1:
            return [(("all", *names), everyone)]
        return [(("all",), everyone), *(((name,), self.systems == name) for name in names)]
