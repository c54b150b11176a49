"""The models of a scoring run: what they must fit before they may serve, and what they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.coverage import misfits
from hydro_assets.settings import Settings
from hydro_assets.tables import OPTIMAL_FLAGS

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage


@dataclass(frozen=True)
class ServingModels:
    """The models of one scoring run, their registered versions and the digests of these, by kind (`tables.MODELS`)."""

    packages: Mapping[str, ForecastPackage]
    versions: Mapping[str, str]
    digests: Mapping[str, str] = field(default_factory=dict)

    def note(self) -> dict[str, dict[str, str]]:
        """For the notes of commits. The digests tell versions of one number in two registries apart."""
        return {"versions": dict(self.versions), "digests": dict(self.digests)}


def require_fitting(packages: Mapping[str, ForecastPackage], columns: Iterable[str], settings: Settings) -> None:
    """Refuse models of another grid, or that need a feature which `columns` lacks.

    Raises ModelUnavailableError that names every misfit of every model.
    """
    present = set(columns)
    problems: list[str] = []
    for kind, package in packages.items():
        found = misfits(package.info, settings)
        if lacking := [name for name in package.info.features if name not in present]:
            found.append(f"it needs features that the table lacks: {', '.join(lacking)}")
        problems += [f"the {kind} model does not fit: {problem}" for problem in found]
    if problems:
        raise ModelUnavailableError.of_all(
            problems, "Train the models again with the present settings, or score with the settings of their training"
        )


def look_back(packages: Mapping[str, ForecastPackage], settings: Settings) -> timedelta:
    """History in front of the first scored row with which every model sees what it would see in the whole history.

    Without a model it is the gap limit, in which the target's last known value is looked for.
    """
    return max((package.info.lookback for package in packages.values()), default=settings.gap_limit)


def columns_read(models: ServingModels, settings: Settings, present: Iterable[str]) -> list[str]:
    """The columns of the feature table that scoring reads, of those that are present."""
    bands = (f"{OPTIMAL_FLAGS[label]}_band_distance" for label in settings.labels if label in OPTIMAL_FLAGS)
    read = {"system_id", "timestamp", settings.target_col, *settings.labels, *bands, "ec_level_band_distance"}
    for package in models.packages.values():
        read |= {*package.info.features, *package.info.target_names}
    return [name for name in present if name in read]


def primary_target(models: Mapping[str, ForecastPackage], columns: Iterable[str], settings: Settings) -> str:
    """`settings.target_col`; the primary target of the models where the farm does not measure that."""
    if settings.target_col in set(columns) or not models:
        return settings.target_col
    return next(iter(models.values())).info.primary


def served_targets(models: Mapping[str, ForecastPackage], columns: Iterable[str], settings: Settings) -> list[str]:
    """What is forecast: the primary target, then what the models cover of `settings.targets` (None: all they cover)."""
    covered = [name for package in models.values() for name in package.info.target_names]
    wanted = [name for name in covered if settings.targets is None or name in settings.targets]
    return list(dict.fromkeys([primary_target(models, columns, settings), *wanted]))
