"""What a registered model must fit before it may serve, and the columns that serving adds to a feature row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hydro_assets.errors import ModelUnavailableError
from hydro_assets.registry.serving import misfits
from hydro_assets.settings import Settings
from hydro_assets.tables import Column, Table, batch_predictions_table

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

PREDICTION_COLUMNS: tuple[Column, ...] = batch_predictions_table(Table("", (), "")).columns


@dataclass(frozen=True)
class ServingModels:
    """The models of one scoring run, and their registered versions, by kind (`columns.MODELS`)."""

    packages: Mapping[str, ForecastPackage]
    versions: Mapping[str, str]


def require_fitting(packages: Mapping[str, ForecastPackage], columns: Iterable[str], settings: Settings) -> None:
    """Refuse models of another target, grid or horizon, or that need a feature which `columns` lacks.

    Raises ModelUnavailableError that names every misfit of every model.
    """
    present = set(columns)
    problems: list[str] = []
    for kind, package in packages.items():
        found = misfits(package, settings)
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
