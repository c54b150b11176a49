"""Forecast the newest reading of each system, from Gold or from readings that are handed in; writes no table."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from hydro_assets.durations import duration_text
from hydro_assets.errors import SettingsError, TableError
from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.scoring.members import ServingModels
from hydro_assets.scoring.running_system import RunningSystem, readings_back
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
    readings = newest_readings(lakehouse, spec, models)
    if system is not None:
        found = readings["system_id"].unique().sort().to_list()
        days = readings["timestamp_key"].dt.date()
        readings = readings.filter(system_id=system)
        if readings.is_empty():
            raise TableError(
                f"Gold has no reading of system {system} from {days.min()} to {days.max()}",
                f"Systems that were read then: {', '.join(found)}",
            )
    return forecast_readings(readings, spec, models, lakehouse.settings, as_of)


def newest_readings(lakehouse: Lakehouse, spec: FeatureSpec, models: ServingModels) -> pl.DataFrame:
    """Rows of Gold, as far as the forecasts of its newest day look back. Raises TableError when Gold is empty."""
    days = lakehouse.days(names.IOT_DATA)
    if not days:
        raise TableError("Gold holds no reading", "Import readings first: hydro import FILE, or hydro demo")
    back = readings_back(spec, models, lakehouse.settings)
    return with_systems(lakehouse.read_polars(names.IOT_DATA, days[-1] - back), lakehouse.settings)


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
    systems = with_systems(readings, settings).sort("system_id").group_by(["system_id"], maintain_order=True)
    return pl.concat(
        RunningSystem(str(system), rows, spec, models, settings).forecasts(as_of) for (system,), rows in systems
    )


def with_systems(readings: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Readings that name their system, as the feature table does where Gold has none, on a clock without a zone."""
    own = pl.col("system_id") if "system_id" in readings.columns else pl.lit(None, pl.String)
    return readings.with_columns(
        pl.col("timestamp_key").cast(pl.Datetime("us")), system_id=own.fill_null(settings.default_system)
    )


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
