from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test

from hydro_assets.defs.attempts import TRIGGER_TAG
from hydro_assets.defs.dead_runs import BY_COMMAND, end_dead_runs
from hydro_assets.defs.local_run import dagster_home, dagster_instance
from hydro_assets.settings import Settings


def test_dead_runs__of_killed_processes_end_and_those_at_work_stay(settings: Settings) -> None:
    started = dg.DagsterRunStatus.STARTED
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with dagster_instance(settings) as instance:
        runs = {
            "of a killed hydro run": create_run_for_test(instance, status=started, tags={TRIGGER_TAG: BY_COMMAND}),
            "of a killed hydro dev": create_run_for_test(instance, status=started),
            "at work": create_run_for_test(instance, status=started),
            "not begun": create_run_for_test(instance, status=started),
        }
        for name, process in (("of a killed hydro dev", gone.pid), ("at work", os.getpid())):
            instance.report_engine_event("begun", runs[name], EngineEventData.in_process(process))
            instance.report_engine_event("a step", runs[name], EngineEventData.in_process(os.getpid()))
        assert end_dead_runs(instance) == [runs["of a killed hydro dev"].run_id]
        assert end_dead_runs(instance, alone=True) == [runs["of a killed hydro run"].run_id]
        now = {name: run.status for name, made in runs.items() if (run := instance.get_run_by_id(made.run_id))}
        ended = dict.fromkeys(("of a killed hydro run", "of a killed hydro dev"), dg.DagsterRunStatus.FAILURE)
        assert now == ended | dict.fromkeys(("at work", "not begun"), started)
        assert end_dead_runs(instance, alone=True) == []


def test_instance__monitors_its_runs_and_bounds_its_pools(settings: Settings) -> None:
    (settings.root / "dagster").mkdir(parents=True)
    earlier = settings.root / "dagster" / "dagster.yaml"
    earlier.write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    dagster_home(settings)
    with dagster_instance(settings) as instance:
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_instance__a_file_of_the_farms_own_stays(settings: Settings) -> None:
    (settings.root / "dagster").mkdir(parents=True)
    (settings.root / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: true\n")
    assert (dagster_home(settings) / "dagster.yaml").read_text() == "telemetry:\n  enabled: true\n"
