"""`farm_report`: the page of `hydro report`, kept up to date with the outlook."""

from datetime import UTC, datetime

import dagster as dg

from hydro_assets.defs import keys
from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.keys import Group


def farm_report_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=keys.FARM_REPORT,
        deps=[keys.SYSTEM_OUTLOOK, keys.PREDICTION_ACCURACY, keys.FEATURE_DRIFT],
        required_resource_keys={"lakehouse"},
        group_name=Group.MONITORING,
        kinds={"html"},
        description="One page about the farm that opens without a server: health, coverage, outlook, errors, drift, "
        "versions. It is written to report.html in the home.",
        code_version=code_version(__name__),
    )
    def farm_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.farm_report import write_report

        with no_retry_on_contract():
            path = write_report(context.resources.lakehouse.get(), datetime.now(UTC))
        return dg.MaterializeResult(
            metadata={"page": dg.MetadataValue.url(path.as_uri()), "kilobytes": path.stat().st_size // 1024}
        )

    return farm_report
