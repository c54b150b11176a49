"""Positional parameters of the three job commands, in one order for the jobs, the command line and the tests.

hydro feature-store    catalog bucket gold_table feature_table
hydro train KIND       catalog bucket feature_table target [experiment model sequence_length forecast_horizon]
hydro batch-inference  catalog bucket feature_table lstm_model gru_model lightgbm_model output_table
                       [sequence_length target_col]

Those in brackets may be left out, from the last on; they are what the settings say then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings
from hydro_assets.tables import ACTUATOR_COLUMNS, MODELS, OPTIMAL_FLAGS

LABELS = ("is_env_optimal", *OPTIMAL_FLAGS, *ACTUATOR_COLUMNS)
"""States that the target of `hydro train lightgbm` may be."""


@dataclass(frozen=True)
class Parameter:
    """One positional parameter: a setting, by its path."""

    name: str
    setting: tuple[str, ...]
    is_optional: bool = False

    def of(self, settings: Settings) -> str:
        """The value that says what `settings` say; tables with catalog and schema."""
        value: Any = settings
        for part in self.setting:
            value = getattr(value, part)
        if self.setting[0] == "tables":
            return settings.table(type(settings.tables).model_fields[self.setting[1]].default)
        return str(value)


_CATALOG = Parameter("catalog", ("catalog",))
_BUCKET = Parameter("bucket", ("bucket",))
_FEATURE_TABLE = Parameter("feature_table", ("tables", "sensor_features"))
_TARGET = Parameter("target", ("target_col",))
_SEQUENCE_LENGTH = Parameter("sequence_length", ("sequence_length",), is_optional=True)

FEATURE_STORE: tuple[Parameter, ...] = (
    _CATALOG,
    _BUCKET,
    Parameter("gold_table", ("tables", "iot_data")),
    _FEATURE_TABLE,
)
BATCH_INFERENCE: tuple[Parameter, ...] = (
    _CATALOG,
    _BUCKET,
    _FEATURE_TABLE,
    *(Parameter(f"{kind}_model", ("models", kind)) for kind in MODELS),
    Parameter("output_table", ("tables", "batch_predictions")),
    _SEQUENCE_LENGTH,
    replace(_TARGET, name="target_col", is_optional=True),
)


def training_parameters(kind: str) -> tuple[Parameter, ...]:
    """Parameters of `hydro train` after the kind of model."""
    return (
        _CATALOG,
        _BUCKET,
        _FEATURE_TABLE,
        _TARGET,
        Parameter("experiment", ("experiments", kind), is_optional=True),
        Parameter("model", ("models", kind), is_optional=True),
        _SEQUENCE_LENGTH,
        Parameter("forecast_horizon", ("forecast_horizon",), is_optional=True),
    )


def usage(parameters: Sequence[Parameter]) -> str:
    """`catalog bucket ... [sequence_length target_col]`."""
    needed = " ".join(p.name for p in parameters if not p.is_optional)
    optional = " ".join(p.name for p in parameters if p.is_optional)
    return f"{needed} [{optional}]" if optional else needed


def values_of(parameters: Sequence[Parameter], settings: Settings) -> list[str]:
    """What to pass so that a command runs with these settings."""
    return [parameter.of(settings) for parameter in parameters]


def settings_from(parameters: Sequence[Parameter], values: Sequence[str]) -> dict[str, Any]:
    """Arguments of `load_settings` for the values of a command, in order; its other settings stay as they are.

    Raises:
        SettingsError: too few or too many values, or empty ones.
    """
    fewest = sum(not p.is_optional for p in parameters)
    if not fewest <= len(values) <= len(parameters):
        wanted = f"{fewest}" if fewest == len(parameters) else f"{fewest} to {len(parameters)}"
        raise SettingsError(
            f"{len(values)} parameters were given, {wanted} are needed", f"Give them in this order: {usage(parameters)}"
        )
    given = list(zip(parameters, (value.strip() for value in values), strict=False))
    if empty := [parameter.name for parameter, value in given if not value]:
        raise SettingsError(f"{', '.join(empty)} is empty", f"Give a value for each of: {usage(parameters)}")
    overrides: dict[str, Any] = {}
    for parameter, value in given:
        place = overrides
        for group in parameter.setting[:-1]:
            place = place.setdefault(group, {})
        place[parameter.setting[-1]] = value
    return overrides


def training_target(kind: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments with a state as the target of LightGBM among the labels, where it belongs.

    A version of LightGBM carries both, so that the ensemble keeps its member: the probability of the state, and the
    forecast of the farm's own `target_col`.
    """
    made = dict(overrides)
    if kind == "lightgbm" and made.get("target_col") in LABELS:
        made |= {"labels": (made.pop("target_col"),), "lightgbm": {"task_type": "both"}}
    return made


def bucket_note(settings: Settings) -> str | None:
    """Why the bucket has no effect, where it has none."""
    if settings.table_root is not None:
        return f"bucket {settings.bucket} has no effect: the tables lie under {settings.table_root}"
    if not settings.external_tables:
        return f"bucket {settings.bucket} has no effect: {settings.catalog} manages its tables (see external_tables)"
    return None
