"""What `mlflow.pyfunc.load_model` gives for a registered version: a `ForecastPackage` that takes pandas rows.

Rows are taken as `sensor_features` gives them: timestamps naive (UTC), with a time zone or as text, booleans, nulls.
Any order; history before the rows of interest in the same frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.forecasting.package import ForecastPackage

if TYPE_CHECKING:
    import pandas as pd


class PyfuncForecast:
    """`predict` of a pyfunc: forecasts of every row, in the target's unit."""

    def __init__(self, package: ForecastPackage) -> None:
        self.package = package

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of `model_input`, target and horizon: the columns of `ForecastPackage.predict`.

        Probabilities of labels follow as rows whose `target` is the label and whose `prediction` is the probability.
        """
        rows = from_pandas(model_input)
        forecasts = self.package.predict(rows)
        labels = self.package.probabilities(rows).rename({"label": "target", "probability": "prediction"})
        both = pl.concat([forecasts, labels], how="diagonal")
        return both.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).to_pandas()


def _load_pyfunc(data_path: str) -> PyfuncForecast:
    """Entry point that MLflow calls with the folder of the package."""
    return PyfuncForecast(ForecastPackage.load(Path(data_path)))


def from_pandas(frame: pd.DataFrame) -> pl.DataFrame:
    """Feature rows as polars has them: timestamps in UTC, missing numbers as null, sorted by their keys."""
    import pandas as pd

    times = pd.to_datetime(frame["timestamp"], utc=True)
    rows = pl.from_pandas(frame.drop(columns="timestamp"), nan_to_null=True)
    stamped = rows.with_columns(
        timestamp=pl.from_pandas(times.reset_index(drop=True)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    return stamped.sort("system_id", "timestamp")
