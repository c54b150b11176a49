"""Groups of settings, each one field of Settings: the crop, the learners, monitoring, and names in MLflow and Gold."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hydro_assets.tables import names

_TABLE_NAME = re.compile(r"\w+(\.\w+){0,2}", re.ASCII)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Frozen):
    """Closed interval in which a sensor is optimal for the crop."""

    low: float = Field(description="lower end, in the unit of the sensor; itself optimal")
    high: float = Field(description="upper end, in the unit of the sensor; itself optimal")

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if not self.low < self.high:
            raise ValueError(f"a band needs low < high, got {self.low} and {self.high}")
        return self


class CropProfile(_Frozen):
    """Optimal bands of one crop. The default is the bands that Gold's own `is_*_optimal` flags use."""

    name: str = Field("gold_flags", description="name of the crop, to read in tables and notes")
    ph_level: Band = Field(default=Band(low=5.5, high=6.5), description="pH")
    tds_level: Band = Field(default=Band(low=800, high=1200), description="ppm on the scale of `tds_scale`")
    air_temperature: Band = Field(default=Band(low=20, high=28), description="degrees Celsius")
    air_humidity: Band = Field(default=Band(low=40, high=70), description="percent relative humidity")
    tds_scale: Literal[500, 640, 700] = Field(
        default=500, description="ppm per mS/cm of the farm's TDS meter (500 = NaCl, 640 = EU, 700 = KCl/442)"
    )

    def bands(self) -> dict[str, Band]:
        """Band per sensor column; EC gets the TDS band converted by `tds_scale`."""
        return {
            "ph_level": self.ph_level,
            "tds_level": self.tds_level,
            "ec_level": Band(low=self.tds_level.low / self.tds_scale, high=self.tds_level.high / self.tds_scale),
            "air_temperature": self.air_temperature,
            "air_humidity": self.air_humidity,
        }


class RecurrentConfig(_Frozen):
    """Hyper-parameters of the LSTM and GRU forecasters."""

    hidden_size: int = Field(64, ge=1, le=2048, description="units of one recurrent layer")
    num_layers: int = Field(2, ge=1, le=8, description="recurrent layers, one on the other")
    dropout: float = Field(0.2, ge=0, lt=1, description="between recurrent layers; ignored with one layer")
    learning_rate: float = Field(0.001, gt=0, le=1, description="step size of the Adam optimiser at the start")
    batch_size: int = Field(32, ge=1, le=65536, description="windows between two updates of the weights")
    epochs: int = Field(50, ge=1, le=10000, description="most passes over the training windows")
    patience: int = Field(8, ge=1, description="epochs without a better validation loss before training stops")
    max_windows_per_epoch: int | None = Field(
        None, ge=1, description="train each epoch on this many windows, drawn at random; None reads all"
    )


class LightGBMConfig(_Frozen):
    """Hyper-parameters of the LightGBM learner."""

    task_type: Literal["classification", "regression", "both"] = Field(
        "both", description="learn the probability of the labels, the values of the targets, or both"
    )
    num_leaves: int = Field(31, ge=2, le=131072, description="most leaves of one tree")
    learning_rate: float = Field(0.05, gt=0, le=1, description="share of each new tree that is added")
    num_boost_round: int = Field(100, ge=1, le=100000, description="most trees")
    feature_fraction: float = Field(0.9, gt=0, le=1, description="share of the features that one tree may use")
    bagging_fraction: float = Field(0.8, gt=0, le=1, description="share of the rows that one tree learns from")
    early_stopping_rounds: int = Field(20, ge=1, description="trees without a better validation loss before it stops")


class MonitoringConfig(_Frozen):
    """When serving models count as worn out. A rule holds when N of the last M days break it, the newest included."""

    window_days: int = Field(7, ge=1, le=366, description="M: days that are looked at")
    violations: int = Field(3, ge=1, description="N: days of them that must break a rule")
    worse_than_baseline: float = Field(0.05, ge=0, description="excess of the ensemble's MAE over the baseline's")
    drift_days: int = Field(7, ge=1, le=366, description="days of features compared with the training data")
    psi_limit: float = Field(0.25, gt=0, description="population stability index from which a feature has drifted")
    drifted_share: float = Field(0.2, gt=0, le=1, description="share of drifted features from which the farm has")
    min_known: int = Field(60, ge=1, description="forecasts with a known actual value that a day needs to be judged")
    bad_data_share: float = Field(0.5, gt=0, le=1, description="share of rows without a usable target in a bad day")

    @model_validator(mode="after")
    def _enough_days(self) -> MonitoringConfig:
        if self.violations > self.window_days:
            raise ValueError(f"violations ({self.violations}) cannot exceed window_days ({self.window_days})")
        return self


class ModelNames(_Frozen):
    """Fixed names in MLflow."""

    lstm: str = Field("hydroponics_lstm_forecast", description="registered model of kind lstm")
    gru: str = Field("hydroponics_gru_forecast", description="registered model of kind gru")
    lightgbm: str = Field("hydroponics_lightgbm_classifier", description="registered model of kind lightgbm")


class TableNames(_Frozen):
    """What the farm calls its tables: `table`, `schema.table` or `catalog.schema.table`; what is left out is usual."""

    iot_data: str = Field(names.IOT_DATA, description="name of the readings of Gold")
    dim_time: str = Field(names.DIM_TIME, description="name of the calendar of Gold")
    dim_equipment: str = Field(names.DIM_EQUIPMENT, description="name of the actuators of Gold")
    sensor_features: str = Field(names.SENSOR_FEATURES, description="name of the feature table")
    batch_predictions: str = Field(names.BATCH_PREDICTIONS, description="name of the output of batch inference")

    @field_validator("*")
    @classmethod
    def _of_three_parts_at_most(cls, value: str) -> str:
        if not _TABLE_NAME.fullmatch(value):
            raise ValueError(
                f"'{value}' is not a table name; write table, schema.table or catalog.schema.table, each of letters, "
                "digits and underscores"
            )
        return value

    def full(self, name: str, catalog: str) -> str:
        """`gold.iot_data` -> what this farm calls that table, with its catalog and schema."""
        schema, _, table = name.rpartition(".")
        given: list[str] = getattr(self, table, name).split(".")
        return ".".join([*(catalog, schema)[: 3 - len(given)], *given])


class PinnedVersions(_Frozen):
    """Versions that score in place of champion or latest; None = not pinned."""

    lstm: str | None = Field(None, description="version of kind lstm that scores; None = the champion, else the latest")
    gru: str | None = Field(None, description="version of kind gru that scores; None = the champion, else the latest")
    lightgbm: str | None = Field(
        None, description="version of kind lightgbm that scores; None = the champion, else the latest"
    )


class ExperimentNames(_Frozen):
    lstm: str = Field("hydroponics_lstm", description="MLflow experiment of kind lstm")
    gru: str = Field("hydroponics_gru", description="MLflow experiment of kind gru")
    lightgbm: str = Field("hydroponics_lightgbm", description="MLflow experiment of kind lightgbm")
