"""One asset under Dagster's own `local_external_step_launcher`, imported by the test and by the process it starts."""

import os

import dagster as dg
from dagster._core.execution.plan.external_step import local_external_step_launcher


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-10"),
    required_resource_keys={"step_launcher"},
)
def elsewhere(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"day": context.partition_key, "process": str(os.getpid())})


defs = dg.Definitions(
    assets=[elsewhere],
    resources={
        "step_launcher": local_external_step_launcher.configured({"scratch_dir": {"env": "TOY_SCRATCH"}}),
    },
    executor=dg.in_process_executor,
)
