import numpy as np
import pytest

from hydro_assets.training import matrix as module
from hydro_assets.training.matrix import matrix, value_range

VALUES = np.array([[1, np.nan, 5], [3, np.nan, np.nan], [2, np.nan, 4], [0, np.nan, 9], [7, np.nan, 1]], np.float32)


@pytest.fixture(autouse=True)
def _pieces_of_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)


@pytest.mark.parametrize("in_memory_bytes", [0, 10**6])
def test_matrix__is_the_same_in_memory_and_on_disk(in_memory_bytes: int) -> None:
    result = matrix(lambda at: VALUES[at], len(VALUES), 3, in_memory_bytes)
    np.testing.assert_array_equal(result, VALUES)
    assert isinstance(result, np.memmap) == (in_memory_bytes == 0)


def test_matrix__of_no_rows_is_empty() -> None:
    assert matrix(lambda at: VALUES[at], 0, 3).shape == (0, 3)


def test_value_range__is_over_all_pieces_and_nan_where_nothing_is_known() -> None:
    low, high = value_range(lambda at: VALUES[at], len(VALUES))
    np.testing.assert_array_equal(low, [0, np.nan, 1])
    np.testing.assert_array_equal(high, [7, np.nan, 9])
