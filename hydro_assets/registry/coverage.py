"""What a version forecasts, beside what the settings ask and what another version gives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from hydro_assets.durations import duration_text
from hydro_assets.settings import Settings

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import PackageInfo

Cell = tuple[str, int]
"""A target or a label, and a horizon in steps."""


def misfits(info: PackageInfo, settings: Settings) -> list[str]:
    """Why a version cannot serve at all: it was trained on another grid."""
    if info.step_seconds == settings.feature_step.total_seconds():
        return []
    trained = duration_text(timedelta(seconds=info.step_seconds))
    return [f"it was trained on a {trained} grid, the features have {duration_text(settings.feature_step)}"]


def gaps(info: PackageInfo, settings: Settings) -> list[str]:
    """What the settings ask and a version does not forecast, in words: its cells are served by others, or by nobody."""
    targets = settings.targets or (settings.target_col if settings.target_col in info.target_names else info.primary,)
    labels: tuple[str, ...] = ()
    if info.kind == "lightgbm":
        task = settings.lightgbm.task_type
        # A label that was asked for in training and is absent was never measured.
        tried = set() if info.labels == () and info.params.get("task_type") == "regression" else info.params["labels"]
        labels = () if task == "regression" else tuple(label for label in settings.labels if label not in tried)
        targets = () if task == "classification" else targets
    asked = {(name, h) for name in (*targets, *labels) for h in settings.horizons}
    return _in_words(asked - cells(info), info.step)


def lost(champion: PackageInfo, challenger: PackageInfo, settings: Settings) -> list[str]:
    """What the champion forecasts, the settings ask, and the challenger does not forecast, in words."""
    asked = {
        (name, h)
        for name, h in cells(champion)
        if h in settings.horizons and (name in settings.labels or name in (settings.targets or champion.target_names))
    }
    return _in_words(asked - cells(challenger), champion.step)


def cells(info: PackageInfo) -> set[Cell]:
    """Every target and label of a version with every horizon."""
    return {(name, h) for name in (*info.target_names, *info.labels) for h in info.horizons}


def _in_words(missing: Iterable[Cell], step: timedelta) -> list[str]:
    by_name: dict[str, list[str]] = {}
    for name, horizon in sorted(missing):
        by_name.setdefault(name, []).append(duration_text(horizon * step))
    return [f"{name} ({', '.join(leads)} ahead)" for name, leads in by_name.items()]
