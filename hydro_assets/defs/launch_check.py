"""One step launched as any heavy step is, which tries out tables and the registry where it runs."""

# No `from __future__ import annotations`: Dagster reads the annotations of an op.
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from hydro_assets.defs.failures import no_retry_on_contract
from hydro_assets.defs.keys import HEAVY
from hydro_assets.defs.local_run import dagster_instance
from hydro_assets.defs.resources.by_environment import resources
from hydro_assets.pipeline.trial import try_out
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings


@dg.op(out=dg.Out(dg.Nothing), required_resource_keys=HEAVY)
def try_out_workspace(context: dg.OpExecutionContext):
    """Write and drop a table, register and delete a version."""
    with no_retry_on_contract():
        done = list(try_out(context.resources.lakehouse.get(), datetime.now(UTC)))
    yield dg.Output(None, metadata={"done": done})


def launch_check() -> dg.JobDefinition:
    """The job for the settings of the environment: the process that runs the step makes it anew."""

    @dg.job(resource_defs=resources(load_settings()), executor_def=dg.in_process_executor)
    def check_launch():
        try_out_workspace()

    return check_launch


def launched(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Launch the step; whether it went well, and a sentence for each thing that did, or the error."""
    with (
        dagster_instance(settings) as instance,
        dg.execute_job(dg.reconstructable(launch_check), instance, raise_on_error=False) as result,
    ):
        if result.success:
            yield True, "launched step: it ran to its end"
            for event in result.all_events:
                if event.is_successful_output:
                    yield from ((True, str(text)) for text in event.step_output_data.metadata["done"].value)  # type: ignore[union-attr]
            return
        failures = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
        causes = [" ".join((f.cause or f).message.split())[:500] for f in failures if f is not None]
        yield False, f"launched step: {'; '.join(causes) or 'the run failed before its step began'}"
