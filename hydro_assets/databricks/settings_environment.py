"""Settings as environment variables: how a process elsewhere gets the very settings that were used here."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from hydro_assets.settings import Settings

# Of the place where a process runs, not of the farm; the launcher's own configuration ends at the host.
_STAYS_HERE = frozenset({"home", "spark_remote", "delta_jars", "step_launcher"})


def settings_environment(settings: Settings) -> dict[str, str]:
    """`HYDRO_*` variables that give an equal `Settings` where neither this environment nor `hydro.toml` is.

    Only what differs from the defaults is named. Secrets are left out: they reach a cluster through a secret scope.
    """
    values = settings.model_dump(mode="json", exclude_defaults=True)
    return {
        f"HYDRO_{name.upper()}": _text(value)
        for name, value in values.items()
        if name not in _STAYS_HERE and not isinstance(getattr(settings, name), SecretStr)
    }


def steps_volume(settings: Settings) -> str:
    """Unity Catalog volume through which launched steps are staged."""
    return settings.step_launcher.get("volume", f"/Volumes/{settings.catalog}/dagster/steps")


def _text(value: Any) -> str:
    if isinstance(value, list):  # of words: settings read `a, b`
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value)
