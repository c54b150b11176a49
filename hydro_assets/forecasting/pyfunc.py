"""What `mlflow.pyfunc.load_model` gives for a registered version: a `ForecastPackage` that takes pandas rows.

Rows are feature rows as `sensor_features` gives them (column `timestamp`) or readings as Gold gives them (column
`timestamp_key`): stamps naive, with a time zone or as text, booleans, nulls. Any order; history before the rows of
interest in the same frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hydro_assets.errors import DataContractError
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.forecasting.package import ForecastPackage

if TYPE_CHECKING:
    import pandas as pd

    from hydro_assets.forecasting.info import PackageInfo

STAMPS = ("timestamp", "timestamp_key", "ingestion_timestamp")


class PyfuncForecast:
    """`predict` of a pyfunc: forecasts in the target's unit."""

    def __init__(self, package: ForecastPackage) -> None:
        self.package = package

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per feature row, target and horizon: the columns of `ForecastPackage.predict`.

        Probabilities of labels follow as rows whose `target` is the label and whose `prediction` is the probability.
        `params`: `{"newest": True}` answers for the newest row of each system alone; the others are its history.

        Raises DataContractError when the frame holds neither feature rows nor readings.
        """
        rows = feature_rows(from_pandas(model_input), self.package.info)
        if not (params or {}).get("newest"):
            return self._forecasts(rows)
        import pandas as pd

        systems = rows.partition_by("system_id", maintain_order=True)
        return pd.concat([self._forecasts(own, own["timestamp"][-1]) for own in systems], ignore_index=True)

    def _forecasts(self, rows: pl.DataFrame, start: Any = None) -> pd.DataFrame:
        forecasts = self.package.predict(rows, start)
        labels = self.package.probabilities(rows, start).rename({"label": "target", "probability": "prediction"})
        both = pl.concat([forecasts, labels], how="diagonal")
        return both.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).to_pandas()


def _load_pyfunc(data_path: str) -> PyfuncForecast:
    """Entry point that MLflow calls with the folder of the package."""
    return PyfuncForecast(ForecastPackage.load(Path(data_path)))


def feature_rows(rows: pl.DataFrame, info: PackageInfo) -> pl.DataFrame:
    """Feature rows by system and time: `rows` themselves, or made of them where they are readings.

    Readings without `system_id` are of the one system that the version knows. Weekends are Saturday and Sunday.
    """
    if "timestamp" in rows.columns:
        return rows.sort("system_id", "timestamp")
    if "timestamp_key" not in rows.columns or info.readings is None:
        raise DataContractError(
            "The rows have no column timestamp, as feature rows have, "
            + (
                "nor timestamp_key, as readings of Gold have" if info.readings else "and this version takes no readings"
            ),
            "Give rows of sensor_features" + (" or of gold.iot_data" if info.readings else ""),
        )
    if "system_id" not in rows.columns or rows["system_id"].null_count():
        if len(info.systems) != 1:
            raise DataContractError("Readings name no system_id", f"Name one, such as {', '.join(info.systems[:3])}")
        own = pl.col("system_id") if "system_id" in rows.columns else pl.lit(None, pl.String)
        rows = rows.with_columns(system_id=own.cast(pl.String).fill_null(info.systems[0]))
    facts = info.readings
    spec = FeatureSpec(
        info.step, info.gap_limit, facts.sensors, facts.actuators, facts.bands, facts.timezone, info.min_window_coverage
    )
    systems = rows.sort("system_id").group_by(["system_id"], maintain_order=True)
    return pl.concat(features_of_system(own, spec, str(system)) for (system,), own in systems)


def from_pandas(frame: pd.DataFrame) -> pl.DataFrame:
    """Rows as polars has them: stamps in UTC (naive ones are taken as UTC), missing numbers as null."""
    import pandas as pd

    stamps = {name: pd.to_datetime(frame[name], utc=True) for name in STAMPS if name in frame.columns}
    rows = pl.from_pandas(frame.drop(columns=list(stamps)), nan_to_null=True)
    return rows.with_columns(
        pl.from_pandas(times.reset_index(drop=True)).cast(pl.Datetime("us", "UTC")).alias(name)
        for name, times in stamps.items()
    )
