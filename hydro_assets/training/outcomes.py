"""What was forecast, beside the actuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """Forecasts of [n] rows beside the actuals; NaN where unknown. `K` targets, `H` horizons, `J` labels.

    Attributes:
        times: [n] microseconds since 1970 UTC; systems: [n].
        actual: [n, K, H]; forecasts: [n, K, H] of the three baselines and the model.
        half_width: [L, n, K, H] half widths of the model's intervals, for `model.LEVELS`.
        state, probability: [n, J, H] labels as they came, and the probability that was forecast.
    """

    times: np.ndarray
    systems: np.ndarray
    actual: np.ndarray
    forecasts: dict[str, np.ndarray]
    half_width: np.ndarray
    state: np.ndarray
    probability: np.ndarray

    def of(self, rows: np.ndarray) -> Outcomes:
        """The outcomes of some rows."""
        return Outcomes(
            self.times[rows],
            self.systems[rows],
            self.actual[rows],
            {name: forecast[rows] for name, forecast in self.forecasts.items()},
            self.half_width[:, rows],
            self.state[rows],
            self.probability[rows],
        )

    def groups(self) -> list[tuple[tuple[str, ...], np.ndarray]]:
        """Names and [n] mask: of all systems together (`all`), and of each; where there is one, it is both."""
        names = sorted(map(str, set(self.systems)))
        everyone = np.ones(self.systems.size, bool)
        if len(names) == 1:
            return [(("all", *names), everyone)]
        return [(("all",), everyone), *(((name,), self.systems == name) for name in names)]
