"""What the launchpad may override for one training: typed there, and held to the bounds of the settings at launch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import dagster as dg
from dagster._config.errors import PostProcessingError  # not exported, but what Dagster asks post_process to raise
from pydantic.fields import FieldInfo

from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import SENSOR

_SHARED = ("sequence_length", "forecast_horizon", "seed")
_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))


class Overrides(dg.Noneable):
    """Values for one training of `kind`; a value that is not given keeps that of the settings.

    Unknown names, wrong types and unknown choices are refused while they are typed. Bounds are more than Dagster's
    schema can say: they are checked where a run is planned, which is before it, or anything of it, is started.
    """

    def __init__(self, settings: Settings, kind: str) -> None:
        self.settings, group = settings, "lightgbm" if kind == "lightgbm" else "recurrent"
        model = getattr(settings, group)
        super().__init__(
            dg.Shape(
                {
                    "target_col": dg.Field(_choice("target_col", SENSOR), is_required=False),
                    **{name: _field(name, Settings.model_fields[name]) for name in _SHARED},
                    group: dg.Field(
                        dg.Shape({name: _field(name, field) for name, field in type(model).model_fields.items()}),
                        is_required=False,
                        description=type(model).__doc__,
                    ),
                }
            )
        )

    def post_process(self, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """The given values; raises PostProcessingError, in the words of SettingsError, when one is out of bounds."""
        try:
            overridden(self.settings, value or {})
        except SettingsError as error:
            raise PostProcessingError(str(error)) from None
        return value or {}


def overridden(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """`settings` with the given values; raises SettingsError that names every value out of bounds."""
    values: dict[str, Any] = settings.model_dump(exclude={"webhook_url"}) | {"webhook_url": settings.webhook_url}
    merged = {n: values[n] | v if isinstance(v, Mapping) else v for n, v in given.items()}
    try:
        return load_settings(**(values | merged))
    except SettingsError as error:
        raise SettingsError(error.problem, "Correct the values in the config of this run") from error


def _field(name: str, field: FieldInfo) -> dg.Field:
    """A setting as Dagster's config: its type, meaning and bounds."""
    bounds = [
        f"{sign} {getattr(limit, key)}" for limit in field.metadata for key, sign in _BOUNDS if hasattr(limit, key)
    ]
    text = "; ".join(part for part in (field.description, " and ".join(bounds)) if part)
    return dg.Field(_type(name, field.annotation), is_required=False, description=text or None)


def _type(name: str, annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return _choice(name, get_args(annotation))
    options = get_args(annotation)
    if type(None) in options:
        return dg.Noneable(next(option for option in options if option is not type(None)))
    return annotation


def _choice(name: str, values: Any) -> dg.Enum:
    return dg.Enum(name, [dg.EnumValue(value) for value in values])
