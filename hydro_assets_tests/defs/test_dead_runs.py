from __future__ import annotations

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from hydro_assets.defs.attempts import TRIGGER_TAG
from hydro_assets.defs.dead_runs import BY_COMMAND, end_dead_runs
from hydro_assets.defs.local_run import dagster_home, dagster_instance
from hydro_assets.settings import Settings


def test_dead_runs__of_killed_commands_end_and_those_of_others_stay(settings: Settings) -> None:
    started = dg.DagsterRunStatus.STARTED
    with dagster_instance(settings) as instance:
        killed = create_run_for_test(instance, status=started, tags={TRIGGER_TAG: BY_COMMAND})
        of_the_ui = create_run_for_test(instance, status=started)
        assert end_dead_runs(instance) == [killed.run_id]
        ended, alive = (instance.get_run_by_id(run.run_id) for run in (killed, of_the_ui))
        assert ended is not None
        assert alive is not None
        assert (ended.status, alive.status) == (dg.DagsterRunStatus.FAILURE, started)
        assert end_dead_runs(instance) == []


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
