"""Positional parameters of the three job commands, in one order for the jobs, the command line and the tests.

hydro feature-store    catalog bucket feature_table
hydro train            kind catalog bucket feature_table experiment model sequence_length target_col
                       forecast_horizon
hydro batch-inference  catalog bucket feature_table lstm_model gru_model lightgbm_model output_table
                       sequence_length target_col
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS, names


@dataclass(frozen=True)
class Parameter:
    """One positional parameter: a setting by its path, or a table whose name is fixed within the catalog."""

    name: str
    setting: tuple[str, ...] = ()
    table: str = ""

    def of(self, settings: Settings) -> str:
        if self.table:
            return settings.table(self.table)
        value: Any = settings
        for part in self.setting:
            value = getattr(value, part)
        return str(value)


_CATALOG = Parameter("catalog", ("catalog",))
_BUCKET = Parameter("bucket", ("bucket",))
_FEATURE_TABLE = Parameter("feature_table", table=names.SENSOR_FEATURES)
_SEQUENCE_LENGTH = Parameter("sequence_length", ("sequence_length",))
_TARGET_COL = Parameter("target_col", ("target_col",))

FEATURE_STORE: tuple[Parameter, ...] = (_CATALOG, _BUCKET, _FEATURE_TABLE)
BATCH_INFERENCE: tuple[Parameter, ...] = (
    _CATALOG,
    _BUCKET,
    _FEATURE_TABLE,
    *(Parameter(f"{kind}_model", ("models", kind)) for kind in MODELS),
    Parameter("output_table", table=names.BATCH_PREDICTIONS),
    _SEQUENCE_LENGTH,
    _TARGET_COL,
)


def training_parameters(kind: str) -> tuple[Parameter, ...]:
    """Parameters of `hydro train` after the kind of model."""
    return (
        _CATALOG,
        _BUCKET,
        _FEATURE_TABLE,
        Parameter("experiment", ("experiments", kind)),
        Parameter("model", ("models", kind)),
        _SEQUENCE_LENGTH,
        _TARGET_COL,
        Parameter("forecast_horizon", ("forecast_horizon",)),
    )


def values_of(parameters: Sequence[Parameter], settings: Settings) -> list[str]:
    """What to pass so that a command runs with these settings."""
    return [parameter.of(settings) for parameter in parameters]


def settings_from(parameters: Sequence[Parameter], values: Sequence[str]) -> dict[str, Any]:
    """Arguments of `load_settings` for the values of a command, in order; its other settings stay as they are.

    Raises:
        SettingsError: another number of values, or a table under another name than the fixed one.
    """
    if len(values) != len(parameters):
        raise SettingsError(
            f"{len(values)} parameters were given, {len(parameters)} are needed",
            f"Give them in this order: {' '.join(p.name for p in parameters)}",
        )
    given = dict(zip((p.name for p in parameters), values, strict=True))
    overrides: dict[str, Any] = {}
    problems = []
    for parameter in parameters:
        value = given[parameter.name]
        if parameter.table and value not in (parameter.table, f"{given['catalog']}.{parameter.table}"):
            problems.append(f"{parameter.name} is {value}, which is called {given['catalog']}.{parameter.table}")
        elif len(parameter.setting) == 1:
            overrides[parameter.setting[0]] = value
        elif parameter.setting:
            group, name = parameter.setting
            overrides.setdefault(group, {})[name] = value
    if problems:
        raise SettingsError.of_all(problems, "Tables keep their names in every catalog: choose another catalog instead")
    return overrides
