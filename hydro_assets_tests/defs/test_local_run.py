"""A run in this process: Ctrl-C ends it once and for all."""

from __future__ import annotations

import signal

import dagster as dg
import pytest

from hydro_assets.defs.local_run import RunFailedError, dagster_instance, run_job
from hydro_assets.defs.resources.console_logger import console_logger
from hydro_assets.settings import Settings


def job_of(*assets: dg.AssetsDefinition) -> dg.JobDefinition:
    job = dg.define_asset_job("job", selection="*")
    definitions = dg.Definitions(assets=assets, jobs=[job], loggers={"console": console_logger})
    return definitions.resolve_job_def("job")


def test_ctrl_c__ends_the_run_at_once_and_leaves_none_in_progress(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    @dg.asset
    def interrupted() -> None:
        begun.append("interrupted")
        signal.raise_signal(signal.SIGINT)

    @dg.asset(deps=[interrupted])
    def later() -> None:
        begun.append("later")

    with dagster_instance(settings) as instance:
        with pytest.raises(KeyboardInterrupt):
            run_job(job_of(interrupted, later), instance)
        assert begun == ["interrupted"]
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    assert "ERROR" not in capsys.readouterr().err  # the command says it, in one sentence


def test_failure__is_no_interrupt(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    @dg.asset
    def broken() -> None:
        raise dg.Failure("the probe is gone")

    with dagster_instance(settings) as instance, pytest.raises(RunFailedError, match="the probe is gone"):
        run_job(job_of(broken), instance)
    assert "ERROR" in capsys.readouterr().err
