"""Small assets that end in every way a launched step can end. The cluster imports this module from the shipped code."""

import atexit
import os
import sys
import time
from pathlib import Path

import dagster as dg

from hydro_assets.databricks.step_launcher.config import Compute, Secret
from hydro_assets.defs.resources.step_launcher_resource import StepLauncherResource

LAUNCHED = {"required_resource_keys": {"step_launcher"}}
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-10")
FARMS = dg.DynamicPartitionsDefinition(name="farms")
ONE_RETRY = dg.RetryPolicy(max_retries=1, delay=1)
VOLUME = os.environ.get("TOY_VOLUME", "/Volumes/hydroponics/dagster/steps")


@dg.asset(code_version="1", partitions_def=DAYS, **LAUNCHED)
def readings(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    print(f"reading {context.partition_key} on {os.environ.get('DATABRICKS_RUNTIME_VERSION', 'the host')}")
    day = context.partition_key
    return dg.MaterializeResult(metadata={"day": day}, data_version=dg.DataVersion(day))


@dg.asset(code_version="1", deps=[readings], partitions_def=DAYS, **LAUNCHED)
def features(context: dg.AssetExecutionContext) -> None:
    context.add_output_metadata({"on_cluster": "HYDRO_IN_LAUNCHED_STEP" in os.environ})


@dg.asset(**LAUNCHED)
def tells_code(context: dg.AssetExecutionContext) -> None:
    context.add_output_metadata(
        {
            "file": __file__,
            "launcher": StepLauncherResource.create_resource.__code__.co_filename,
            "commit": os.environ.get("HYDRO_GIT_COMMIT", ""),
        }
    )


@dg.asset(partitions_def=FARMS, **LAUNCHED)
def by_farm(context: dg.AssetExecutionContext) -> None:
    context.add_output_metadata({"farm": context.partition_key})


@dg.asset(**LAUNCHED)
def user_error(context: dg.AssetExecutionContext) -> None:
    raise ValueError("pH of -1 is no reading")


@dg.asset(retry_policy=ONE_RETRY, **LAUNCHED)
def error_once(context: dg.AssetExecutionContext) -> None:
    if context.retry_number == 0:
        raise ValueError("first attempt fails")


@dg.asset(retry_policy=ONE_RETRY, **LAUNCHED)
def cluster_lost_once(context: dg.AssetExecutionContext) -> None:
    if context.retry_number == 0:
        os._exit(7)


@dg.asset(**LAUNCHED)
def cluster_lost(context: dg.AssetExecutionContext) -> None:
    sys.__stderr__.write("out of memory in native code\n")
    sys.__stderr__.flush()
    os._exit(7)


@dg.asset(**LAUNCHED)
def dies_after_success(context: dg.AssetExecutionContext) -> None:
    atexit.register(lambda: os._exit(9))


@dg.asset(retry_policy=ONE_RETRY, **LAUNCHED)
def never_ends(context: dg.AssetExecutionContext) -> None:
    """Ends when somebody creates the file that TOY_RELEASE names, or is stopped."""
    context.log.info("started to wait")
    release = Path(os.environ["TOY_RELEASE"])
    while not release.exists():
        time.sleep(0.1)


@dg.asset(**LAUNCHED)
def long_log(context: dg.AssetExecutionContext) -> None:
    for number in range(50_000):
        print(f"epoch {number}: loss 0.0{number}")
    for number in range(300):
        context.log.info(f"event {number}")


@dg.asset(**LAUNCHED)
def tells_secret(context: dg.AssetExecutionContext) -> None:
    token = os.environ["TOY_TOKEN"]
    print("printed", token)
    print("warned", token, file=sys.stderr)
    context.log.info(f"logged {token}")
    context.add_output_metadata({"length": len(token), "value": token})


@dg.asset(**LAUNCHED)
def tells_secret_and_fails(context: dg.AssetExecutionContext) -> None:
    raise ValueError(f"refused: {os.environ['TOY_TOKEN']}")


@dg.asset(**LAUNCHED)
def needs_variable(context: dg.AssetExecutionContext) -> None:
    context.add_output_metadata({"farm": os.environ["TOY_FARM"]})


class BrokenOnCluster(dg.ConfigurableResource):
    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if "HYDRO_IN_LAUNCHED_STEP" in os.environ:
            raise RuntimeError("no route to the tracking server")


@dg.asset(required_resource_keys={"step_launcher", "broken"}, retry_policy=ONE_RETRY)
def resource_fails(context: dg.AssetExecutionContext) -> None: ...


def _side(number: int) -> dg.AssetsDefinition:
    @dg.asset(name=f"side_{number}", **LAUNCHED)
    def side(context: dg.AssetExecutionContext) -> None:
        context.add_output_metadata({"from": time.time()})
        time.sleep(2)
        context.add_output_metadata({"until": time.time()})

    return side


@dg.op(out=dg.DynamicOut(int))
def rows():
    for key in ("a", "b"):
        yield dg.DynamicOutput(1, mapping_key=key)


@dg.op(required_resource_keys={"step_launcher"}, ins={"row": dg.In(dg.Nothing)})
def bracketed(context: dg.OpExecutionContext) -> None:
    context.log.info(f"step {context.get_step_execution_context().step.key}")


@dg.job(executor_def=dg.in_process_executor)
def fan_out():
    rows().map(lambda row: bracketed(row))


def _launcher() -> StepLauncherResource:
    """Configured by the test through the environment of the host; on the cluster it yields nothing in any case."""
    secret = os.environ.get("TOY_SECRET")
    return StepLauncherResource(
        target="databricks" if os.environ.get("TOY_LAUNCH") == "1" else "local",
        packages=["hydro_assets", "hydro_assets_tests"],
        volume=VOLUME,
        workspace_dir=os.environ.get("TOY_WORKSPACE_DIR"),
        cpu=Compute(
            dependencies=[f"dagster=={dg.__version__}"], timeout_seconds=int(os.environ.get("TOY_TIMEOUT", "120"))
        ),
        env={name: os.environ[name] for name in ("TOY_RELEASE",) if name in os.environ},
        env_names=os.environ.get("TOY_ENV_NAMES", "").split(),
        secrets=[Secret(name="TOY_TOKEN", scope="hydro", key=secret)] if secret else [],
        poll_seconds=0.3,
        linger_seconds=20,
    )


defs = dg.Definitions(
    assets=[
        readings,
        features,
        tells_code,
        by_farm,
        user_error,
        error_once,
        cluster_lost_once,
        cluster_lost,
        dies_after_success,
        never_ends,
        long_log,
        tells_secret,
        tells_secret_and_fails,
        needs_variable,
        resource_fails,
        _side(1),
        _side(2),
    ],
    jobs=[fan_out],
    resources={"step_launcher": _launcher(), "broken": BrokenOnCluster()},
    executor=dg.multiprocess_executor if os.environ.get("TOY_MULTIPROCESS") == "1" else dg.in_process_executor,
)
