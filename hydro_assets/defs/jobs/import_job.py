"""The job that adds a raw export to Gold, for farms whose lakehouse does not: here, or launched as any heavy step."""

# No `from __future__ import annotations`: Dagster reads the annotations of an op.
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from hydro_assets.defs.assets.external_gold import gold_materializations
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import HEAVY, WITHOUT_TORCH
from hydro_assets.settings import Settings

IMPORT_JOB = "import_gold"


class RawExport(dg.Config):
    """The export to add, as `hydro import` takes it."""

    csv: str = Field(description="path where the step runs: a file of this machine, or on Databricks /Volumes/...")
    profile: str | None = Field(
        None,
        description="how it is read: name of options that `hydro import --profile` kept, or path of such a .toml file "
        "where the step runs",
    )
    system: str | None = Field(None, description="system_id of its readings; None = its own column, else the default")


@dg.op(out=dg.Out(dg.Nothing), required_resource_keys=HEAVY, tags=WITHOUT_TORCH)
def add_export(context: dg.OpExecutionContext, config: RawExport):
    """Add the readings of a raw export to Gold; adding them again changes nothing."""
    from pathlib import Path

    from hydro_assets.defs.failures import no_retry_on_contract
    from hydro_assets.ingest.profile import load_profile, profile_path
    from hydro_assets.pipeline.gold import import_export

    lakehouse = context.resources.lakehouse.get()
    with no_retry_on_contract():
        how = None if config.profile is None else load_profile(profile_path(lakehouse.settings.root, config.profile))
        done = import_export(lakehouse, Path(config.csv), config.system, datetime.now(UTC), how)
    context.log.info(f"{config.csv}: {done}")
    yield from gold_materializations(lakehouse)
    yield dg.Output(None, metadata={"read": done.read, "added": done.added, "notes": list(done.notes)})


def gold_import_job(settings: Settings) -> dg.JobDefinition:
    @dg.job(
        name=IMPORT_JOB,
        op_retry_policy=retry_policy(settings),
        description="Add a raw export to gold.iot_data and bring its calendar and equipment up to date.",
    )
    def import_gold():
        add_export()

    return import_gold
