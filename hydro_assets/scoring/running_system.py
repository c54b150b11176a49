"""One system whose readings come one by one: each forecast costs the new row, not its history."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.features.tidy_readings import utc_timestamps
from hydro_assets.forecasting.memory import RowMemory
from hydro_assets.scoring.members import ServingModels, columns_read, look_back, require_fitting
from hydro_assets.scoring.score_system import score_system
from hydro_assets.settings import Settings


class RunningSystem:
    """The readings of a system as far as its next forecasts look back, their features, and what was computed of them.

    Its forecasts are those that a batch over all its readings gives.
    """

    def __init__(
        self, system: str, readings: pl.DataFrame, spec: FeatureSpec, models: ServingModels, settings: Settings
    ) -> None:
        """`readings`: rows of Gold of the system, at least one; `readings_back` of them are kept.

        Raises ModelUnavailableError when a model needs features that the farm does not have.
        """
        require_fitting(models.packages, spec.table.column_names, settings)
        self.system, self.spec, self.models, self.settings = system, spec, models, settings
        self._back = look_back(models.packages, settings)
        self._read = columns_read(models, settings, spec.table.column_names)
        self._begin(readings)

    @property
    def newest(self) -> datetime:
        """Start of the newest step with a reading."""
        newest = self._features["timestamp"][-1]
        assert isinstance(newest, datetime)
        return newest

    def add(self, reading: pl.DataFrame) -> None:
        """Take rows of Gold. Those of earlier steps than the newest one change what was computed: all is made anew."""
        readings = pl.concat([self.readings, reading], how="diagonal_relaxed")
        last = _last(readings)
        numbered = reading.select(
            "timestamp_key", *(pl.lit(None, pl.Int64).alias(n) for n in ("reading_id", "ingestion_timestamp"))
        )
        before, taken = self.newest, utc_timestamps(numbered, self.spec.timezone)
        if taken.min() < before:  # type: ignore[operator]
            self._begin(readings)
            return
        late = readings.filter(pl.col("timestamp_key") >= last - features_back(self.spec))
        made = self._made(late, before)
        self._features = pl.concat([self._features.filter(pl.col("timestamp") < before), made])
        start = self.newest - self._back
        self._features = self._features.filter(pl.col("timestamp") >= start)
        self._memory.keep(_us(start), _us(before))
        self.readings = self._kept(readings)

    def forecasts(self, as_of: datetime) -> pl.DataFrame:
        """The rows of `forecasts` of the newest step."""
        models, start = self.models, self.newest
        return score_system(
            *(self._features, models.packages, models.versions, self.settings, start, start + self.spec.step, as_of),
            memory=self._memory,
        )

    def measured(self) -> pl.DataFrame:
        """[1] the feature row of the newest step."""
        return self._features.tail(1)

    def _begin(self, readings: pl.DataFrame) -> None:
        self.readings = self._kept(readings)
        made = self._made(self.readings, None)
        self._features = made.filter(pl.col("timestamp") >= made["timestamp"][-1] - self._back)
        self._memory = RowMemory()

    def _made(self, readings: pl.DataFrame, start: datetime | None) -> pl.DataFrame:
        return features_of_system(readings, self.spec, self.system, start).select(self._read)

    def _kept(self, readings: pl.DataFrame) -> pl.DataFrame:
        back = readings_back(self.spec, self.models, self.settings)
        return readings.filter(pl.col("timestamp_key") >= _last(readings) - back)


def _last(readings: pl.DataFrame) -> datetime:
    last = readings["timestamp_key"].max()
    assert isinstance(last, datetime)
    return last


def readings_back(spec: FeatureSpec, models: ServingModels, settings: Settings) -> timedelta:
    """History of readings that the forecast of one step depends on."""
    return look_back(models.packages, settings) + features_back(spec)


def features_back(spec: FeatureSpec) -> timedelta:
    """History of readings that a feature row depends on, with a margin for changes of the clock."""
    return spec.look_back + (timedelta(0) if spec.timezone == "UTC" else timedelta(days=1))


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
