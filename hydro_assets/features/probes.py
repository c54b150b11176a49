"""Which cells of a probe are no measurement: it is stuck, or gives mere noise. Each cell is judged by its past alone.

The expressions stand on the dense grid of a segment, before any cell is blanked, and are evaluated `.over("segment")`.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hydro_assets.features import rolling
from hydro_assets.tables import SENSOR

NOISE_WINDOW = timedelta(hours=6)
NOISE_AUTOCORRELATION = 0.2
NOISE_SHARE_OF_RANGE = 0.01

STUCK_WINDOW = timedelta(hours=3)
# A probe that tells 0.1 pH or whole degrees may rightly give one value all night, so it is given a day.
STUCK_WINDOW_COARSE = timedelta(hours=24)
COARSE_SHARE_OF_RANGE = 1 / 500
FEWEST_STEPS = 6  # on a coarse grid a window holds too few steps to tell anything; half a dozen is the least that does


def probe_reach(step: timedelta) -> timedelta:
    """How far back the judgement of a cell looks."""
    return max(STUCK_WINDOW_COARSE, NOISE_WINDOW, FEWEST_STEPS * step)


def judgements(name: str, step: timedelta, coverage: float) -> dict[str, pl.Expr]:
    """`is_{name}_stuck` and `is_{name}_noise_only`, from the step's mean, minimum and maximum and `{name}__centre`."""
    return {
        f"is_{name}_stuck": _is_stuck(name, step, coverage),
        f"is_{name}_noise_only": _is_noise(name, step, coverage),
    }


def _steps(window: timedelta, step: timedelta) -> int:
    return max(int(window / step), FEWEST_STEPS)


def _is_stuck(name: str, step: timedelta, coverage: float) -> pl.Expr:
    """No change at all: over 3 h, or a day where the probe's resolution is coarse.

    The resolution is the smallest change of the last day; before there was one, the decimals of the value tell it.
    """
    low, high = pl.col(f"{name}_min"), pl.col(f"{name}_max")
    changes = pl.concat_list((high - low).replace(0.0, None), high.diff().abs().replace(0.0, None)).list.min()
    day = _steps(STUCK_WINDOW_COARSE, step)
    resolution = pl.coalesce(
        changes.rolling_min(day, min_samples=1), _decimals_of(high).rolling_min(day, min_samples=1)
    )
    sensor = SENSOR[name]
    assert sensor.low is not None
    assert sensor.high is not None
    is_fine = resolution <= COARSE_SHARE_OF_RANGE * (sensor.high - sensor.low)

    def unmoved(window: timedelta) -> pl.Expr:
        width = _steps(window, step)
        least = rolling.least_samples(width, coverage)
        return high.rolling_max(width, min_samples=least) == low.rolling_min(width, min_samples=least)

    return pl.when(is_fine).then(unmoved(STUCK_WINDOW)).otherwise(unmoved(STUCK_WINDOW_COARSE)).fill_null(False)


def _decimals_of(value: pl.Expr) -> pl.Expr:
    """The place of the last digit of a value with up to three decimals: 6.25 -> 0.01."""
    place = pl.lit(0.0001)
    for digits in (3, 2, 1, 0):
        place = pl.when((value - value.round(digits)).abs() < 1e-9).then(10.0**-digits).otherwise(place)
    return pl.when(value.is_not_null()).then(place)


def _is_noise(name: str, step: timedelta, coverage: float) -> pl.Expr:
    sensor, y = SENSOR[name], pl.col(name)
    assert sensor.low is not None
    assert sensor.high is not None
    width = _steps(NOISE_WINDOW, step)
    least = rolling.least_samples(width, coverage)
    correlation = rolling.lag1_autocorrelation(y - pl.col(f"{name}__centre"), width, least)
    spread = y.rolling_std(width, min_samples=least)
    wide = NOISE_SHARE_OF_RANGE * (sensor.high - sensor.low)
    return ((correlation < NOISE_AUTOCORRELATION) & (spread > wide)).fill_null(False)
