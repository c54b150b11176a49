from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from hydro_assets.errors import TableError
from hydro_assets.forecasting.actuals import actuals
from hydro_assets.forecasting.grid import TimeGrid, by_chunks
from hydro_assets_tests.builders.synthetic import START, STEP, synthetic_rows

GAP = timedelta(minutes=5)


def grid_of(minutes: list[int], values: list[float | None] | None = None, system: str = "a") -> TimeGrid:
    frame = pl.DataFrame(
        {
            "system_id": [system] * len(minutes),
            "timestamp": [START + STEP * m for m in minutes],
            "ph_level": values or [float(m) for m in minutes],
        }
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
    return TimeGrid.of(frame, STEP, GAP, padding=2)


def test_window__holds_nan_for_a_missing_step() -> None:
    grid = grid_of([0, 1, 3])
    np.testing.assert_array_equal(grid.windows("ph_level", np.array([2]), 3), [[1, np.nan, 3]])


def test_window__never_reaches_over_a_gap() -> None:
    grid = grid_of([0, 1, 2, 8, 9])
    np.testing.assert_array_equal(grid.windows("ph_level", np.array([3, 4]), 3), [[np.nan, np.nan, 8], [np.nan, 8, 9]])


def test_window__never_reaches_into_another_system() -> None:
    frame = pl.concat([synthetic_rows(4, ("a",)), synthetic_rows(4, ("b",), seed=2)])
    grid = TimeGrid.of(frame, STEP, GAP, padding=2)
    first_of_b = grid.windows("ph_level", np.array([4]), 3)[0]
    assert np.isnan(first_of_b[:2]).all()
    assert first_of_b[2] == grid.values("ph_level")[4]


def test_actuals__are_found_by_their_time() -> None:
    came = actuals(grid_of([0, 1, 3, 9]), "ph_level", [1, 2, 6])
    nan = np.nan
    np.testing.assert_array_equal(came, [[1, nan, nan], [nan, 3, nan], [nan, nan, 9], [nan, nan, nan]])


def test_actuals__are_of_the_same_system() -> None:
    frame = pl.concat([synthetic_rows(4, ("a",)), synthetic_rows(8, ("b",), seed=2)])
    grid = TimeGrid.of(frame, STEP, GAP)
    came = actuals(grid, "ph_level", [4])
    assert np.isnan(came[:4]).all()
    np.testing.assert_array_equal(came[4:8, 0], grid.values("ph_level")[8:12])


def test_rows_before__stay_in_their_system() -> None:
    grid = TimeGrid.of(pl.concat([synthetic_rows(4, ("a",)), synthetic_rows(4, ("b",))]), STEP, GAP)
    np.testing.assert_array_equal(grid.rows_before(np.array([3, 5, 7]), 2), [1, 4, 5])


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
        TimeGrid.of(synthetic_rows(3).with_columns(timestamp=change), STEP, GAP, padding=2)


def test_chunks__give_the_same_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(7)
    monkeypatch.setattr("hydro_assets.forecasting.grid.CHUNK_ROWS", 3)
    np.testing.assert_array_equal(by_chunks(lambda r: r[:, None] * 2.0, rows, 1), rows[:, None] * 2.0)


def test_values__of_rows_are_those_of_the_column_in_their_order() -> None:
    grid = grid_of([0, 1, 2, 3], [1.0, None, 3.0, float("inf")])
    np.testing.assert_array_equal(grid.values("ph_level", np.array([3, 0, 2])), [np.nan, 1, 3])
    assert grid.values("ph_level", np.array([], int)).shape == (0,)
