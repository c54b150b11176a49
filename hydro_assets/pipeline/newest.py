"""Forecast the newest reading of each system, from Gold or from readings that are handed in; writes no table."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import SettingsError, TableError
from hydro_assets.features.feature_job import ZONE_MARGIN, farm_spec
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.features.system_features import features_of_system
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels, look_back
from hydro_assets.scoring.score_system import score_system
from hydro_assets.settings import Settings
from hydro_assets.tables import names


def newest_forecasts(
    lakehouse: Lakehouse, models: ServingModels, as_of: datetime, system: str | None = None
) -> pl.DataFrame:
    """The rows of `forecasts` of the newest step of each system in Gold, or of `system` alone.

    Only the days that these rows depend on are read. A system is found where it was read within them.
    Raises TableError when Gold is empty, or `system` has no reading there.
    """
    spec = farm_spec(lakehouse)
    back = readings_back(models, spec, lakehouse.settings)
    days = lakehouse.days(names.IOT_DATA)
    if not days:
        raise TableError("Gold holds no reading", "Import readings first: hydro import FILE, or hydro demo")
    readings = with_systems(lakehouse.read_polars(names.IOT_DATA, days[-1] - back), lakehouse.settings)
    if system is not None:
        found = readings["system_id"].unique().sort().to_list()
        readings = readings.filter(system_id=system)
        if readings.is_empty():
            raise TableError(
                f"Gold has no reading of system {system} from {days[-1] - back} to {days[-1]}",
                f"Systems that were read then: {', '.join(found)}",
            )
    return forecast_readings(readings, spec, models, lakehouse.settings, as_of)


def farm_or_file_spec(lakehouse: Lakehouse, readings: pl.DataFrame) -> FeatureSpec:
    """The spec of the farm, or of `readings` where there is no Gold."""
    if lakehouse.exists(names.IOT_DATA):
        return farm_spec(lakehouse)
    measured = [name for name in readings.columns if readings[name].null_count() < readings.height]
    return FeatureSpec.for_farm(lakehouse.settings, measured)


def forecast_readings(
    readings: pl.DataFrame, spec: FeatureSpec, models: ServingModels, settings: Settings, as_of: datetime
) -> pl.DataFrame:
    """The rows of `forecasts` of each system's newest step, equal to those that scoring its day would write.

    Args:
        readings: rows of Gold of any systems, with `readings_back` of history before the newest one of each.
        as_of: `inference_timestamp` of the rows.
    """
    parts = []
    for (system,), rows in (
        with_systems(readings, settings).sort("system_id").group_by(["system_id"], maintain_order=True)
    ):
        taken = pl.col("timestamp_key")
        rows = rows.filter(taken >= taken.max() - readings_back(models, spec, settings))
        made = features_of_system(rows, spec, str(system))
        newest = made["timestamp"].max()
        assert isinstance(newest, datetime)
        history = made.filter(pl.col("timestamp") >= newest - look_back(models.packages, settings))
        end = newest + spec.step
        parts.append(score_system(history, models.packages, models.versions, settings, newest, end, as_of))
    return pl.concat(parts)


def with_systems(readings: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Readings that name their system, as the feature table does where Gold has none."""
    own = pl.col("system_id") if "system_id" in readings.columns else pl.lit(None, pl.String)
    return readings.with_columns(system_id=own.fill_null(settings.default_system))


def readings_back(models: ServingModels, spec: FeatureSpec, settings: Settings) -> timedelta:
    """History of readings that the forecast of one step depends on, with a margin for changes of the clock."""
    return look_back(models.packages, settings) + spec.look_back + ZONE_MARGIN


def chosen(forecasts: pl.DataFrame, settings: Settings, target: str | None, lead: timedelta | None) -> pl.DataFrame:
    """The forecasts of one target, one lead time, or both. Raises SettingsError, naming all problems, where none is."""
    problems = []
    targets = forecasts["target"].unique(maintain_order=True).to_list()
    leads = [h * settings.feature_step for h in settings.horizons]
    if target is not None and target not in targets:
        problems.append(f"{target} is not forecast, but {', '.join(targets)}")
    if lead is not None and lead not in leads:
        problems.append(f"{duration_text(lead)} ahead is not forecast, but {', '.join(map(duration_text, leads))}")
    if problems:
        raise SettingsError.of_all(problems, "Ask for one of these, or train with other targets or lead_times")
    if target is not None:
        forecasts = forecasts.filter(target=target)
    return forecasts if lead is None else forecasts.filter(horizon=lead // settings.feature_step)
