"""Forecasts of one farm made beside another version of numpy: equal but for what rounding does to trees."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs
from polars.testing import assert_frame_equal

RELATIVE = 1e-3
SHARES = 0.05
"""Largest difference of a probability, or of a share of rows."""


def assert_alike(left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Floats within RELATIVE of the value (of 1, for smaller ones), shares within SHARES, all else exactly.

    numpy 1.26 sums and takes exp in other last bits than numpy 2.4; of two splits of a tree that are equal but for
    these, LightGBM then takes the other.
    """
    shares = cs.contains("probability", "coverage", "share", "rate", "brier")
    floats = cs.float() - shares
    assert_frame_equal(left.drop(cs.float()), right.drop(cs.float()), check_exact=True)
    assert_frame_equal(left.select(floats), right.select(floats), rel_tol=RELATIVE, abs_tol=RELATIVE)
    assert_frame_equal(left.select(shares & cs.float()), right.select(shares & cs.float()), rel_tol=0, abs_tol=SHARES)
