import dagster as dg

from hydro_assets.defs.resources.mlflow_resource import OWN_EXPERIMENT, mlflow_resource
from hydro_assets.registry.mlflow_client import mlflow_client
from hydro_assets.settings import Settings


def test_mlflow__an_asset_of_ones_own_logs_into_the_farms_store_and_its_run_ends(settings: Settings) -> None:
    from dagster_mlflow import end_mlflow_on_run_finished

    @dg.op(required_resource_keys={"mlflow"})
    def count_pumps(context: dg.OpExecutionContext) -> None:
        context.resources.mlflow.log_metric("pumps", 5)

    @dg.job(resource_defs={"mlflow": mlflow_resource(settings)}, hooks={end_mlflow_on_run_finished})
    def pumps() -> None:
        count_pumps()

    result = pumps.execute_in_process()
    client = mlflow_client(settings)
    experiment = client.get_experiment_by_name(OWN_EXPERIMENT)
    assert experiment is not None
    assert experiment.artifact_location.startswith(settings.root.as_uri())
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"pumps": 5}
    assert run.data.tags["dagster_run_id"] == result.run_id
