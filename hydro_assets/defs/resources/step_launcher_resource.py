"""The `step_launcher` resource: nothing locally, a Databricks job per heavy step on a workspace.

An asset asks for it with `required_resource_keys={"step_launcher", ...}` and never touches it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import ValidationError

from hydro_assets.databricks.step_launcher.config import IN_LAUNCHED_STEP, StepLauncherConfig
from hydro_assets.errors import SettingsError

if TYPE_CHECKING:
    from hydro_assets.settings import Settings


class StepLauncherResource(StepLauncherConfig):
    """Launches heavy steps as Databricks jobs, or does nothing when `target` is local."""

    @classmethod
    def of(cls, settings: Settings, launched: bool) -> StepLauncherResource:
        """The resource of an environment: its fields from `settings.step_launcher`, and the settings for the cluster.

        Raises:
            SettingsError: names every field that is unknown or out of bounds.
        """
        if not launched:
            return cls()  # type: ignore[call-arg]
        from hydro_assets.databricks.settings_environment import settings_environment, steps_volume

        fields = {**settings.step_launcher, "volume": steps_volume(settings)}
        environment = {**settings_environment(settings), **fields.pop("env", {})}
        try:
            return cls(target="databricks", env=environment, **fields)
        except ValidationError as error:
            problems = [f"step_launcher.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise SettingsError.of_all(
                problems, "Correct [step_launcher] in hydro.toml, or HYDRO_STEP_LAUNCHER"
            ) from error

    def create_resource(self, context: dg.InitResourceContext) -> dg.StepLauncher | None:
        """None where the step is to run in this process.

        Raises:
            SettingsError: the host, credentials, a variable or the compute is missing, or a variable looks like a
                credential.
        """
        if self.target == "local" or IN_LAUNCHED_STEP in os.environ:
            return None
        from hydro_assets.databricks.step_launcher.launcher import dbfs_launcher, volume_launcher

        make = dbfs_launcher if self.staging == "dbfs" else volume_launcher
        try:
            return make(self)
        except ValueError as error:  # the SDK's; it strikes out the values
            raise SettingsError(
                f"Databricks' SDK does not take the credentials: {error}",
                "Give one kind of them, here or in the environment, and unset the others",
            ) from error
