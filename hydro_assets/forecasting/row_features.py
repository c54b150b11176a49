"""What the feature table says at the forecast origin: columns of the row, levels relative to their sensor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from hydro_assets import tables
from hydro_assets.forecasting.grid import TimeGrid

_NEVER_INPUTS = {"system_id", "timestamp", "date", "known_at", "reading_id"}
_LEVEL_SUFFIX = re.compile(r"_(?:min|max|lag_\w+|mean_\w+|min_\w+|max_\w+)$")


def input_columns(frame: pl.DataFrame) -> list[str]:
    """Numeric and boolean columns that may be learned from, in the order of the frame."""
    return [
        name
        for name, dtype in frame.schema.items()
        if name not in _NEVER_INPUTS and (dtype.is_numeric() or dtype == pl.Boolean)
    ]


def row_features(grid: TimeGrid, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """[n, F] float32 features of `rows`; levels of a sensor are given relative to its present value.

    A lag, mean, minimum or maximum of a sensor becomes its distance to the sensor's own column, so that what is
    learned holds at any level. Absent columns are NaN.
    """
    result = np.empty((rows.size, len(names)), np.float32)
    for j, name in enumerate(names):
        values = grid.values(name, rows)
        sensor = _sensor_of_level(name)
        if sensor is not None:
            values = values - grid.values(sensor, rows)
        result[:, j] = values
    return result


@cache
def _sensor_of_level(name: str) -> str | None:
    """The sensor whose level a derived column states (`ph_level` for `ph_level_mean_1h`), if it does."""
    stem = _LEVEL_SUFFIX.sub("", name)
    return stem if stem != name and stem in tables.SENSOR else None


_OTHER_SENSORS = re.compile(r"(?:_change_per_min|_mean_1h|_slope_1h|_slope_6h|_band_distance|_base_change_\d+_steps)?$")


def reads_of(target: str, name: str, targets: Sequence[str]) -> bool:
    """Whether boosters of `target` read the feature `name`: all that is its own, of other sensors what they do now."""
    sensor = next((s for s in (*tables.SENSOR, *targets) if name == s or name.startswith(f"{s}_")), None)
    if sensor is None or sensor == target:
        return not any(name.startswith(f"is_{s}_") for s in tables.SENSOR if s != target)
    return _OTHER_SENSORS.fullmatch(name.removeprefix(sensor)) is not None
