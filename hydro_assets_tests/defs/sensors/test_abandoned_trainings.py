"""A training whose process was killed does not stay RUNNING until somebody trains again."""

from __future__ import annotations

import dagster as dg
from mlflow import MlflowClient

from hydro_assets.defs.sensors.abandoned_trainings import abandoned_trainings
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.registry.registered_model import RegisteredModel
from hydro_assets.settings import Settings


@dg.op
def killed() -> None:
    raise RuntimeError


@dg.job
def training() -> None:
    killed()


def started_on_a_cluster(client: MlflowClient, settings: Settings, dagster_run_id: str) -> str:
    tags = {"dagster_run_id": dagster_run_id}
    return client.create_run(RegisteredModel(settings, "lstm").experiment_id(), tags=tags).info.run_id


def test_training__ends_with_its_dagster_run_and_no_sooner(settings: Settings) -> None:
    sensor, client = abandoned_trainings(settings), mlflow_client(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        over = training.execute_in_process(instance=instance, raise_on_error=False).run_id
        going = instance.create_run_for_job(training, status=dg.DagsterRunStatus.STARTED).run_id
        runs = [started_on_a_cluster(client, settings, run) for run in (over, going, "of another instance")]
        told = sensor.evaluate_tick(dg.build_sensor_context(instance)).skip_message
        again = sensor.evaluate_tick(dg.build_sensor_context(instance)).skip_message
    assert [client.get_run(run).info.status for run in runs] == ["KILLED", "RUNNING", "RUNNING"]
    assert told == f"1 abandoned trainings were ended: ['{runs[0]}']"
    assert again == "None abandoned"
