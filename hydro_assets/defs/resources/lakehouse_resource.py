"""The `lakehouse` resource: the farm's tables, for assets, checks and sensors."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import WITH_SECRETS, Settings
from hydro_assets.settings_sources import load_settings


class LakehouseResource(dg.ConfigurableResource):
    """Opens the lakehouse of one set of settings. Spark starts only when a step first uses it.

    Raises SettingsError when a step is prepared with settings that are none: on the host, before the step is launched.
    """

    settings: dict[str, Any] = Field(
        {}, description="settings that differ from the defaults (see hydro_assets/settings.py), without secrets"
    )

    @classmethod
    def of(cls, settings: Settings) -> LakehouseResource:
        # The config is shown in the UI. A secret that the process reads from its own environment needs no repeating.
        read = load_settings(home=settings.home)
        hidden = {name for name in WITH_SECRETS if getattr(read, name) == getattr(settings, name)}
        hidden |= {"webhook_url", "step_launcher"}  # the lakehouse uses neither
        differing = settings.model_dump(mode="json", exclude_defaults=True, exclude=hidden)
        return cls(settings=differing)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self.get()

    def get(self) -> Lakehouse:
        return Lakehouse(load_settings(**self.settings))
