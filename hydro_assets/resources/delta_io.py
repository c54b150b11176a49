"""The `lakehouse` resource: the farm's tables, for assets, checks and sensors."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings, load_settings


class LakehouseResource(dg.ConfigurableResource):
    """Opens the lakehouse of one set of settings. Spark starts only when a step first uses it.

    Raises SettingsError when a step is prepared with settings that are none: on the host, before the step is launched.
    """

    settings: dict[str, Any] = Field(
        {}, description="settings that differ from the defaults, without secrets (see hydro_assets/settings.py)"
    )

    @classmethod
    def of(cls, settings: Settings) -> LakehouseResource:
        differing = settings.model_dump(mode="json", exclude_defaults=True, exclude={"webhook_url"})
        return cls(settings=differing)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self.get()

    def get(self) -> Lakehouse:
        return Lakehouse(load_settings(**self.settings))
