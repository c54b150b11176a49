"""What a registered model must fit before it may serve, and the columns that serving adds to a feature row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hydro_assets.columns import Column, Table, batch_predictions_table
from hydro_assets.errors import ModelUnavailableError
from hydro_assets.settings import Settings, duration_text

if TYPE_CHECKING:
    from hydro_assets.models.package import ForecastPackage

PREDICTION_COLUMNS: tuple[Column, ...] = batch_predictions_table(Table("", (), "")).columns


@dataclass(frozen=True)
class ServingModels:
    """The models of one scoring run, and their registered versions, by kind (`columns.MODELS`)."""

    packages: Mapping[str, ForecastPackage]
    versions: Mapping[str, str]


def require_fitting(packages: Mapping[str, ForecastPackage], columns: Iterable[str], settings: Settings) -> None:
    """Refuse models of another target, grid step or horizon, or that need a feature which `columns` lacks.

    Raises ModelUnavailableError that names every misfit of every model.
    """
    present = set(columns)
    asked = range(1, settings.forecast_horizon + 1)
    problems: list[str] = []
    for kind, package in packages.items():
        info = package.info
        if info.target_col != settings.target_col:
            problems.append(f"the {kind} model forecasts {info.target_col}, asked for is {settings.target_col}")
        if info.step_seconds != settings.feature_step.total_seconds():
            step = duration_text(timedelta(seconds=info.step_seconds))
            grid = duration_text(settings.feature_step)
            problems.append(f"the {kind} model was trained on a {step} grid, the features have {grid}")
        if lacking := sorted(set(asked) - set(info.horizons)):
            problems.append(
                f"the {kind} model has no forecast for {_steps(lacking)} ahead (forecast_horizon is "
                f"{settings.forecast_horizon})"
            )
        if lacking := [name for name in info.features if name not in present]:
            problems.append(f"the {kind} model needs features that the table lacks: {', '.join(lacking)}")
    if problems:
        raise ModelUnavailableError(
            "; ".join(problems),
            "Train the model again with the present settings, or score with the settings it was trained with",
        )


def look_back(packages: Mapping[str, ForecastPackage], settings: Settings) -> timedelta:
    """History in front of the first scored row that gives every model the window it would see in the whole history.

    The longest sequence, plus the gap limit in which the target's last known value is looked for.
    """
    steps = max((package.info.sequence_length for package in packages.values()), default=settings.sequence_length)
    return steps * settings.feature_step + settings.gap_limit


def _steps(horizons: list[int]) -> str:
    if len(horizons) == 1:
        return f"{horizons[0]} steps"
    return f"{horizons[0]} .. {horizons[-1]} steps"
