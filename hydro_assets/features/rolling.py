"""Window, lag and state expressions on the dense grid of a segment. Rows are steps, so a window is a time window.

Every expression is evaluated `.over("segment")` by the caller: nothing crosses a gap. `y` is a column of step means
in which missing and impossible values are null (never NaN), so one bad reading stays in the windows that hold it.
"""

from __future__ import annotations

import math

import polars as pl


def least_samples(width: int, coverage: float) -> int:
    """Values a window of `width` steps must hold before its statistics count."""
    return max(2, math.ceil(width * coverage))


def window_statistics(y: pl.Expr, width: int, least: int) -> dict[str, pl.Expr]:
    """mean, std (ddof 1), min, max over the last `width` steps including the present one."""
    return {
        "mean": y.rolling_mean(width, min_samples=least),
        "std": y.rolling_std(width, min_samples=least, ddof=1),
        "min": y.rolling_min(width, min_samples=least),
        "max": y.rolling_max(width, min_samples=least),
    }


def slope(y: pl.Expr, x: pl.Expr, width: int, least: int) -> pl.Expr:
    """Ordinary least-squares slope of `y` on `x` over the last `width` steps (unit of y per unit of x).

    From rolling sums: (n Sxy - Sx Sy) / (n Sxx - Sx^2), with `x` and `y` centred by the caller, so that the
    differences keep their digits.
    """
    known = y.is_not_null()
    xs = pl.when(known).then(x)

    def total(e: pl.Expr) -> pl.Expr:
        return e.rolling_sum(width, min_samples=least)

    n = total(known.cast(pl.Float64))
    sx, sy, sxy, sxx = total(xs), total(y), total(xs * y), total(xs * xs)
    spread = n * sxx - sx * sx
    return pl.when(spread > 0).then((n * sxy - sx * sy) / spread)


def lag1_autocorrelation(y: pl.Expr, width: int, least: int) -> pl.Expr:
    """Correlation of `y` with itself one step earlier over the last `width` steps; `y` centred by the caller."""
    both = y.is_not_null() & y.shift(1).is_not_null()
    a, b = pl.when(both).then(y), pl.when(both).then(y.shift(1))

    def mean(e: pl.Expr) -> pl.Expr:
        return e.rolling_mean(width, min_samples=least)

    covariance = mean(a * b) - mean(a) * mean(b)
    variance = (mean(a * a) - mean(a) ** 2) * (mean(b * b) - mean(b) ** 2)
    return pl.when(variance > 0).then(covariance / variance.sqrt())


def change_per_minute(y: pl.Expr, k: pl.Expr, minutes_per_step: float) -> pl.Expr:
    """Change since the last step that had a value, per minute; null when that was over a day ago."""
    known = pl.when(y.is_not_null())
    previous_y = y.shift(1).forward_fill()
    previous_k = known.then(k).shift(1).forward_fill()
    minutes = (k - previous_k) * minutes_per_step
    return pl.when(minutes <= 1440).then((y - previous_y) / minutes)


def minutes_since_on(state: pl.Expr, k: pl.Expr, minutes_per_step: float) -> pl.Expr:
    """Minutes since the last step in which `state` was true, up to a day; null when it was not."""
    last_on = pl.when(state).then(k).forward_fill()
    minutes = (k - last_on) * minutes_per_step
    return pl.when(minutes <= 1440).then(minutes)
