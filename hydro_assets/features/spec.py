"""What the features of one farm are made of: grid, gap rule, windows, sensors, bands. Frozen: it travels to workers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from hydro_assets.durations import duration_text
from hydro_assets.features.probes import probe_reach
from hydro_assets.tables import (
    ACTUATORS,
    REQUIRED_SENSORS,
    SENSORS,
    WINDOWS,
    Table,
    sensor_features_table,
    usable_lags,
    usable_windows,
)

if TYPE_CHECKING:
    from hydro_assets.settings import Settings

RULES = 2
"""Counts the changes of what a feature row holds: days that were built by earlier rules are built again."""


def made_with(settings: Settings) -> str:
    """The settings that shape feature rows, as the JSON text that the commit of a day records."""
    shaping = {
        "rules": RULES,
        "feature_step": duration_text(settings.feature_step),
        "timezone": settings.timezone,
        "gap_limit": duration_text(settings.gap_limit),
        "min_window_coverage": settings.min_window_coverage,
        "default_system": settings.default_system,
        "bands": {name: [band.low, band.high] for name, band in settings.crop.bands().items()},
    }
    return json.dumps(shaping, sort_keys=True)


def differing_settings(built: str, wanted: str) -> list[str]:
    """What differs in two texts of `made_with`, as `timezone UTC, now Europe/Rome`; nothing where one is empty."""
    before, now = (json.loads(text or "{}") for text in (built, wanted))
    return [
        f"{name} {_told(before[name])}, now {_told(now[name])}"
        for name in now
        if name != "rules" and name in before and before[name] != now[name]
    ]


def _told(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in value.items())
    return str(value)


def look_back(step: timedelta) -> timedelta:
    """The widest window, each cell of which is judged by what its probe did before."""
    return max(WINDOWS) + probe_reach(step)


@dataclass(frozen=True)
class FeatureSpec:
    """Everything `features_of_system` needs to know besides the readings."""

    step: timedelta
    gap_limit: timedelta
    sensors: tuple[str, ...]
    actuators: tuple[str, ...]
    bands: Mapping[str, tuple[float, float]]
    timezone: str = "UTC"
    min_window_coverage: float = 0.5
    weekend_days: frozenset[date] | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def for_farm(
        cls,
        settings: Settings,
        gold_columns: Collection[str],
        equipment_codes: Collection[str] | None = None,
        weekend_days: frozenset[date] | None = None,
    ) -> FeatureSpec:
        """The spec of a farm whose `gold.iot_data` has these columns and `gold.dim_equipment` these codes.

        `notes` states in plain words what the farm lacks.
        """
        sensors = tuple(c.name for c in SENSORS if c.name in gold_columns)
        actuators = tuple(
            name
            for name, code, _ in ACTUATORS
            if name in gold_columns and (equipment_codes is None or code in equipment_codes)
        )
        notes = [f"no {c.name} in Gold: its features are left out" for c in SENSORS if c.name not in gold_columns]
        notes += [
            f"no {name} in Gold or no {code} in dim_equipment: its features are left out"
            for name, code, _ in ACTUATORS
            if name not in actuators
        ]
        if "system_id" not in gold_columns:
            notes.append(f"no system_id in Gold: all readings belong to {settings.default_system}")
        if "ingestion_timestamp" not in gold_columns:
            notes.append("no ingestion_timestamp in Gold: known_at is the end of the step")
        return cls(
            step=settings.feature_step,
            gap_limit=settings.gap_limit,
            sensors=sensors,
            actuators=actuators,
            bands={n: (b.low, b.high) for n, b in settings.crop.bands().items() if n in sensors},
            timezone=settings.timezone,
            min_window_coverage=settings.min_window_coverage,
            weekend_days=weekend_days,
            notes=tuple(notes),
        )

    @property
    def table(self) -> Table:
        return sensor_features_table(self.step, self.sensors, self.actuators)

    @property
    def windows(self) -> list[tuple[str, int]]:
        """Name and length in steps of every window: `("1h", 60)`."""
        return [(duration_text(w), int(w / self.step)) for w in usable_windows(self.step)]

    @property
    def lags(self) -> list[tuple[str, int]]:
        """Name and length in steps of every lag: `("5min", 5)`."""
        return [(duration_text(lag), int(lag / self.step)) for lag in usable_lags(self.step)]

    @property
    def look_back(self) -> timedelta:
        """History that a row can depend on."""
        return look_back(self.step)

    @property
    def environment_sensors(self) -> list[str]:
        """Sensors that decide `is_env_optimal`: one per required quantity; TDS wins over EC."""
        found = [next((s for s in group if s in self.sensors), None) for group in REQUIRED_SENSORS]
        return [s for s in found if s is not None]
