from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.forecasting.windows import SegmentGrid, by_chunks
from hydro_assets_tests.builders.synthetic import START, STEP, farm

GAP = timedelta(minutes=5)


def grid_of(minutes: list[int], values: list[float | None] | None = None, system: str = "a") -> SegmentGrid:
    frame = pl.DataFrame(
        {
            "system_id": [system] * len(minutes),
            "timestamp": [START + STEP * m for m in minutes],
            "ph_level": values or [float(m) for m in minutes],
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
    return SegmentGrid.of(frame, STEP, GAP, lead=2)


def test_window__holds_nan_for_a_missing_step() -> None:
    grid = grid_of([0, 1, 3])
    np.testing.assert_array_equal(grid.windows("ph_level", np.array([2]), 3), [[1, np.nan, 3]])


def test_window__never_reaches_over_a_gap() -> None:
    grid = grid_of([0, 1, 2, 8, 9])
    np.testing.assert_array_equal(grid.windows("ph_level", np.array([3, 4]), 3), [[np.nan, np.nan, 8], [np.nan, 8, 9]])


def test_window__never_reaches_into_another_system() -> None:
    frame = pl.concat([farm(4, ("a",)), farm(4, ("b",), seed=2)])
    grid = SegmentGrid.of(frame, STEP, GAP, lead=2)
    first_of_b = grid.windows("ph_level", np.array([4]), 3)[0]
    assert np.isnan(first_of_b[:2]).all()
    assert first_of_b[2] == grid.values("ph_level")[4]


def test_truth__is_unknown_over_a_gap_and_at_a_missing_step() -> None:
    truth = grid_of([0, 1, 3, 9]).ahead("ph_level", [1, 2])
    np.testing.assert_array_equal(truth, [[1, np.nan], [np.nan, 3], [np.nan, np.nan], [np.nan, np.nan]])


def test_truth__of_a_long_horizon_does_not_wrap_into_the_next_segment() -> None:
    truth = grid_of([0, 1, 20, 21]).ahead("ph_level", [4])
    assert np.isnan(truth).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.col("timestamp") + pl.duration(seconds=1), "do not start on the grid"),
        (pl.lit(START).cast(pl.Datetime("us", "UTC")), "repeat a (system_id, timestamp)"),
    ],
    ids=["off_grid", "duplicate"],
)
def test_grid__refuses_rows_that_are_not_on_it(change: pl.Expr, said: str) -> None:
    with pytest.raises(TableError, match=said.replace("(", r"\(").replace(")", r"\)")):
        SegmentGrid.of(farm(3).with_columns(timestamp=change), STEP, GAP, lead=2)


def test_chunks__give_the_same_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(7)
    monkeypatch.setattr("hydro_assets.forecasting.windows.CHUNK_ROWS", 3)
    np.testing.assert_array_equal(by_chunks(lambda r: r[:, None] * 2.0, rows, 1), rows[:, None] * 2.0)


def test_values__of_rows_are_those_of_the_column_in_their_order() -> None:
    grid = grid_of([0, 1, 2, 3], [1.0, None, 3.0, float("inf")])
    np.testing.assert_array_equal(grid.values("ph_level", np.array([3, 0, 2])), [np.nan, 1, 3])
    assert grid.values("ph_level", np.array([], int)).shape == (0,)


def test_once__is_forgotten_by_a_grid_with_another_frame() -> None:
    grid, rows = grid_of([0, 1]), np.array([0, 1])
    assert grid.once("mean", rows, lambda: np.ones(2)) is grid.once("mean", rows, lambda: np.zeros(2))
    other = replace(grid, frame=grid.frame.with_columns(ph_level=pl.lit(0.0)))
    assert other.once("mean", rows, lambda: np.zeros(2)).sum() == 0
