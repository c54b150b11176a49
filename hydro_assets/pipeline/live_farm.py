"""The newest forecasts of every system, kept up to date as readings and new versions of the models come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import polars as pl

from hydro_assets.features.feature_job import farm_spec
from hydro_assets.features.spec import FeatureSpec
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.newest import newest_readings, with_systems
from hydro_assets.scoring.members import ServingModels, require_fitting
from hydro_assets.scoring.running_system import RunningSystem
from hydro_assets.scoring.system_outlook import system_outlook
from hydro_assets.settings import Settings


@dataclass
class _Live:
    """A system, its newest forecasts, and the lock of whoever changes them."""

    running: RunningSystem
    forecasts: pl.DataFrame
    lock: Lock = field(default_factory=Lock)


class LiveFarm:
    """Many threads may ask at once; those of one system wait for each other."""

    def __init__(
        self, readings: pl.DataFrame, spec: FeatureSpec, models: ServingModels, settings: Settings, as_of: datetime
    ) -> None:
        """`readings`: rows of Gold from which the systems begin; a system that comes later begins with its first."""
        self.spec, self.models, self.settings = spec, models, settings
        self._adding = Lock()
        systems = with_systems(readings, settings).sort("system_id").group_by(["system_id"], maintain_order=True)
        self._systems = {str(system): self._begun(str(system), rows, models, as_of) for (system,), rows in systems}

    @classmethod
    def of(cls, lakehouse: Lakehouse, models: ServingModels, as_of: datetime) -> LiveFarm:
        """The farm of Gold, forecast once from its newest readings. Raises TableError when Gold is empty."""
        spec = farm_spec(lakehouse)
        return cls(newest_readings(lakehouse, spec, models), spec, models, lakehouse.settings, as_of)

    def add(self, reading: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
        """Take rows of Gold of one system; the rows of `forecasts` of its newest step. Writes nothing."""
        reading = with_systems(reading, self.settings)
        system = reading["system_id"][0]
        with self._adding:
            live = self._systems.get(system)
            if live is None:
                self._systems[system] = live = self._begun(system, reading, self.models, as_of)
                return live.forecasts
        with live.lock:
            live.running.add(reading)
            live.forecasts = live.running.forecasts(as_of)
            return live.forecasts

    def swap(self, models: ServingModels, as_of: datetime) -> None:
        """Serve other models. Each system is prepared beside the one that serves, which answers until then.

        Raises ModelUnavailableError, and serves on as before, when a model does not fit.
        """
        require_fitting(models.packages, self.spec.table.column_names, self.settings)
        with self._adding:  # systems that come from here on begin with the new models
            systems, self.models = dict(self._systems), models
        for system, live in systems.items():
            prepared = self._begun(system, live.running.readings, models, as_of)
            with live.lock:
                now, then = live.running.readings, prepared.running.readings
                missed = now.join(then, on=now.columns, how="anti", nulls_equal=True)
                if not missed.is_empty():
                    prepared.running.add(missed)
                    prepared.forecasts = prepared.running.forecasts(as_of)
                live.running, live.forecasts = prepared.running, prepared.forecasts

    def forecasts(self) -> pl.DataFrame:
        """The rows of `forecasts` of each system's newest step."""
        return pl.concat([live.forecasts for live in list(self._systems.values())])

    def outlook(self, as_of: datetime) -> pl.DataFrame:
        """Rows of `system_outlook`, from the newest forecasts."""
        measured = pl.concat([live.running.measured() for live in list(self._systems.values())])
        return system_outlook(self.forecasts(), measured, self.settings, as_of)

    def newest(self) -> dict[str, datetime]:
        """Start of the newest step of each system."""
        return {system: live.running.newest for system, live in list(self._systems.items())}

    def _begun(self, system: str, readings: pl.DataFrame, models: ServingModels, as_of: datetime) -> _Live:
        running = RunningSystem(system, readings, self.spec, models, self.settings)
        return _Live(running, running.forecasts(as_of))
