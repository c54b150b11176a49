"""Feature rows as they are, or as they were known at a moment: what training and scoring both read.

Late and corrected readings change the features of past days. A backtest as of T0 must not see them: it reads rows made
from the readings that had arrived by T0, which are the rows that the system held at T0.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from hydro_assets.features.feature_job import farm_spec, sensor_features_frame
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.tables import names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def feature_frame(lakehouse: Lakehouse, start_day: date, end_day: date, as_of: datetime | None = None) -> DataFrame:
    """Rows of `sensor_features` in the UTC days [start_day, end_day) as a Spark frame.

    Args:
        as_of: None reads the table; a moment (aware) makes the rows from the readings that had arrived by then.
    """
    if as_of is None:
        return lakehouse.read(names.SENSOR_FEATURES, start_day, end_day)
    return sensor_features_frame(lakehouse, farm_spec(lakehouse), start_day, end_day, as_of)


def feature_rows_of(
    lakehouse: Lakehouse, start_day: date, end_day: date, as_of: datetime | None = None
) -> pl.DataFrame:
    """The same as a polars frame by system and time."""
    if as_of is None:
        rows = lakehouse.read_polars(names.SENSOR_FEATURES, start_day, end_day)
    else:
        rows = pl.DataFrame(pl.from_arrow(feature_frame(lakehouse, start_day, end_day, as_of).toArrow()))
        rows = rows.with_columns(pl.col(pl.Datetime).dt.convert_time_zone("UTC"))
    return rows.sort("system_id", "timestamp")
