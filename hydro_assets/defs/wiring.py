"""The wiring: assets, checks, automation and resources of one farm in the chosen environment."""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

# Backfill policies, code references and partitioned checks are marked beta or preview; a warning in every subprocess
# teaches nobody anything.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.SupersessionWarning)

from hydro_assets.defs.assets import all_assets  # noqa: E402
from hydro_assets.defs.automation import all_automation  # noqa: E402
from hydro_assets.defs.checks import all_checks  # noqa: E402
from hydro_assets.defs.checks.freshness import freshness_policies  # noqa: E402
from hydro_assets.defs.conditions import follow_conditions  # noqa: E402
from hydro_assets.defs.keys import Group  # noqa: E402
from hydro_assets.defs.resources.by_environment import executor, resources  # noqa: E402
from hydro_assets.defs.resources.console_logger import console_logger  # noqa: E402
from hydro_assets.settings import Settings  # noqa: E402

# Who is asked about an asset: a team of the farm, shown on its page.
OWNERS = {
    Group.GOLD: "team:farm-data",
    Group.FEATURES: "team:farm-data",
    Group.MODELS: "team:farm-models",
    Group.PREDICTIONS: "team:farm-models",
    Group.MONITORING: "team:farm-models",
}


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything Dagster knows of a farm with these settings."""
    jobs, schedules, sensors = all_automation(settings)
    follows, deadlines = follow_conditions(), freshness_policies(settings)

    def attended(spec: dg.AssetSpec) -> dg.AssetSpec:
        given: dict[str, Any] = {"owners": [OWNERS[spec.group_name or ""]]}
        given |= {"automation_condition": follows.get(spec.key), "freshness_policy": deadlines.get(spec.key)}
        return spec.replace_attributes(**{name: value for name, value in given.items() if value is not None})

    return dg.Definitions(
        assets=dg.with_source_code_references(list(dg.map_asset_specs(attended, all_assets(settings)))),
        asset_checks=all_checks(settings),
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=resources(settings),
        executor=executor(settings),
        loggers={"console": console_logger},
    )
