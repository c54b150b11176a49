"""The asset graph over a farm's lakehouse, run in this process."""

from __future__ import annotations

from typing import Any

import dagster as dg

from hydro_assets.defs.assets import all_assets
from hydro_assets.defs.checks import all_checks, health_checks
from hydro_assets.defs.jobs.asset_jobs import jobs
from hydro_assets.defs.resources.by_environment import resources
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.settings import Settings


class GraphFarm:
    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.lakehouse, self.instance = Lakehouse(settings), instance
        self.defs = dg.Definitions(
            assets=all_assets(settings),
            asset_checks=all_checks(settings),
            jobs=jobs(settings, health_checks(settings)),
            resources=resources(settings),
        )

    def run(self, job: str, **options: Any) -> bool:
        """Whether the job succeeded."""
        made = self.defs.resolve_job_def(job)
        return made.execute_in_process(instance=self.instance, raise_on_error=False, **options).success
