"""The only wiring: assets, checks, automation and resources for the chosen environment."""

from __future__ import annotations

import warnings

import dagster as dg

# `backfill_policy` and code references are marked beta; a warning in every subprocess teaches nobody anything.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.SupersessionWarning)

from hydro_assets.assets import all_assets  # noqa: E402
from hydro_assets.automation import all_automation  # noqa: E402
from hydro_assets.checks import all_checks  # noqa: E402
from hydro_assets.resources.console_logger import console_logger  # noqa: E402
from hydro_assets.resources.environments import executor, resources  # noqa: E402
from hydro_assets.settings import Settings, load_settings  # noqa: E402


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything Dagster knows of a farm with these settings."""
    jobs, schedules, sensors = all_automation(settings)
    return dg.Definitions(
        assets=dg.with_source_code_references(all_assets(settings)),
        asset_checks=all_checks(settings),
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=resources(settings),
        executor=executor(settings),
        loggers={"console": console_logger},
    )


defs = build_definitions(load_settings())
