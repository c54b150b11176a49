"""Feature matrices of any height: made piece by piece, and kept on disk where they are too large for memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import numpy as np

from hydro_assets.forecasting.grid import CHUNK_ROWS

IN_MEMORY_BYTES = 1_000_000_000

Piece = Callable[[np.ndarray], np.ndarray]  # positions [n] -> [n, F] features of these rows


def value_range(piece: Piece, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """[F] smallest and [F] largest value of each feature over all `rows`, one at least; NaN where none is known."""
    ranges = [(np.fmin.reduce(f, axis=0), np.fmax.reduce(f, axis=0)) for f in map(piece, _pieces(rows))]
    lows, highs = zip(*ranges, strict=True)
    return np.fmin.reduce(lows, axis=0), np.fmax.reduce(highs, axis=0)


def matrix(piece: Piece, rows: int, width: int, in_memory_bytes: int = IN_MEMORY_BYTES) -> np.ndarray:
    """[rows, width] float32 features; above `in_memory_bytes` its pages live in an unnamed temporary file."""
    shape = (rows, width)
    if 4 * rows * width <= in_memory_bytes:
        result = np.empty(shape, np.float32)
    else:
        with tempfile.TemporaryFile() as file:  # the mapping outlives its handle
            result = np.memmap(file, np.float32, shape=shape)
    for at in _pieces(rows):
        result[at[0] : at[-1] + 1] = piece(at)
    return result


def _pieces(rows: int) -> list[np.ndarray]:
    return [np.arange(i, min(i + CHUNK_ROWS, rows)) for i in range(0, rows, CHUNK_ROWS)]
