"""The three registered models: one asset each, made by one factory."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from hydro_assets.defs.assets.training_config import Overrides, overridden
from hydro_assets.defs.code_version import code_version
from hydro_assets.defs.facts import image, markdown_table, rounded, table_facts
from hydro_assets.defs.failures import retry_policy
from hydro_assets.defs.keys import HEAVY, SENSOR_FEATURES, WITHOUT_TORCH, Group, model_key
from hydro_assets.durations import duration_text
from hydro_assets.registry.model_card import interval_text, model_card
from hydro_assets.registry.run_log import summary_metrics
from hydro_assets.settings import Settings
from hydro_assets.tables import MODELS

if TYPE_CHECKING:
    from hydro_assets.pipeline.training import TrainedModel
    from hydro_assets.training.result import TrainingResult

_KINDS = {"lstm": {"pytorch", "mlflow"}, "gru": {"pytorch", "mlflow"}, "lightgbm": {"lightgbm", "mlflow"}}
_STATS = {
    "skill": "skill over the best baseline, mean",
    "coverage_80": "share inside the 80 % interval",
    "coverage_95": "share inside the 95 % interval",
}
_TEXT = {
    "lstm": "LSTM forecaster of all targets, with scaler, base forecasts and intervals in one registered artifact.",
    "gru": "GRU forecaster of all targets, with scaler, base forecasts and intervals in one registered artifact.",
    "lightgbm": "LightGBM forecaster of all targets and calibrated classifier of labels, one artifact.",
}


def registered_model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    return [_registered_model(settings, kind) for kind in MODELS]


def _registered_model(settings: Settings, kind: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=model_key(settings, kind),
        deps=[dg.AssetDep(SENSOR_FEATURES, partition_mapping=dg.AllPartitionMapping())],
        required_resource_keys=HEAVY,
        retry_policy=retry_policy(settings),
        group_name=Group.MODELS,
        kinds=_KINDS[kind],
        description=_TEXT[kind],
        code_version=code_version(__name__),
        config_schema=dg.Field(Overrides(settings, kind), is_required=False, default_value={}),
        op_tags=WITHOUT_TORCH if kind == "lightgbm" else {"hydro/compute": "gpu"},
    )
    def registered_model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from hydro_assets.defs.failures import no_retry_on_contract
        from hydro_assets.pipeline.training import train_model

        lakehouse = context.resources.lakehouse.get()
        with no_retry_on_contract():
            chosen = overridden(lakehouse.settings, context.op_execution_context.op_config)
            trained = train_model(
                lakehouse,
                kind,
                datetime.now(UTC),
                chosen,
                context.log.info,
                context.run_id,
                context.asset_key.to_user_string(),
            )
        return dg.MaterializeResult(metadata=model_facts(trained))

    return registered_model


# Digits with which the table fits beside its name on a page of 1280 pixels; a wider one cuts every text below it.
_SHORT = (pl.col("mae").round_sig_figs(3), pl.col("skill").round(2))


def model_facts(trained: "TrainedModel") -> dict[str, Any]:
    """Numbers that the UI plots over versions, the table of metrics, pictures, and the way back to MLflow."""
    result, registered = trained.result, trained.registered
    facts: dict[str, Any] = {
        "version": int(registered.version),
        "serves": trained.decision.promoted,
        "because": trained.decision.reason,
    }
    for name, url in (("MLflow run", registered.run_url), ("MLflow version", registered.version_url)):
        if url is not None:
            facts[name] = dg.MetadataValue.url(url)
    facts |= {} if result is None else _training_facts(trained, result)
    return facts | {"run id in MLflow": registered.run_id, "version of the features": trained.features.version}


def _training_facts(trained: "TrainedModel", result: "TrainingResult") -> dict[str, Any]:
    """What only the training itself knows; an earlier attempt of the step may have been the one that trained."""
    info, pooled, registered = result.package.info, result.metrics.filter(system_id="all"), trained.registered
    own = pooled.filter(split="holdout", model=info.kind)
    known = own.filter(pl.col("mae").is_not_null())
    ahead = [duration_text(h * info.step) for h in known["horizon"]]
    errors = known.select("target", pl.Series("ahead", ahead, pl.String), "mae", "skill")
    units = {target.name: target.unit for target in info.targets}
    plotted = {f"MAE of {t}, {lead} ahead ({units[t]})": mae for t, lead, mae, _ in errors.iter_rows()}
    summary = {
        f"holdout: {_STATS[stat]}": value
        for name, value in summary_metrics(result, info.kind).items()
        for split, _, stat in [name.partition("_")]
        if split == "holdout"
    }
    card = model_card(
        info,
        result.metrics,
        trained.provenance,
        registered.name,
        registered.version,
        result.classification,
        result.leaving,
    )
    facts: dict[str, Any] = {
        **{name: rounded(value) for name, value in summary.items()},
        **table_facts("errors on the holdout", errors.with_columns(_SHORT)),
        "model card": dg.MetadataValue.md(card),
        **{f"plot {name.replace('_', ' ')}": image(png, name) for name, png in result.plots.items()},
        **{name: rounded(value) for name, value in plotted.items()},
        "all metrics": dg.MetadataValue.md(markdown_table(interval_text(pooled))),
        "notes": list(info.notes),
    }
    if result.classification is not None:
        scores = interval_text(result.classification.filter(system_id="all"))
        facts["classification"] = dg.MetadataValue.md(markdown_table(scores))
    if result.leaving is not None:
        facts["leaving the band"] = dg.MetadataValue.md(markdown_table(result.leaving))
    return facts
