"""What is written from forecasts: predictions, outlook, accuracy, drift, and the log of promotions."""

from __future__ import annotations

from dataclasses import replace

from hydro_assets.tables import names
from hydro_assets.tables.column import Column, Table
from hydro_assets.tables.feature_table import KEYS
from hydro_assets.tables.sensors import SENSOR

MODELS: tuple[str, ...] = ("lstm", "gru", "lightgbm")

_UNIT = "unit of target_col"


def batch_predictions_table(features: Table) -> Table:
    """All feature columns, then the forecast of each model, the ensemble, its interval and where they came from."""
    feature = f"{names.SENSOR_FEATURES}."
    read = tuple(feature + c.name for c in features.columns if c.name in SENSOR)
    carried = tuple(replace(c, sources=(feature + c.name,)) for c in features.columns)
    forecast = tuple(
        Column(f"{m}_prediction", "double", _UNIT, f"forecast of the {m} model", sources=read) for m in MODELS
    )
    own = (
        Column("target_col", "string", "", "column that is forecast"),
        Column("horizon", "int", "steps", "steps ahead of timestamp", 1, None, nullable=False),
        Column(
            "prediction_for", "timestamp", "", "start of the step that is forecast, UTC: timestamp + horizon * step"
        ),
        *forecast,
        Column(
            "ensemble_avg",
            "double",
            _UNIT,
            "mean of the models' forecasts",
            sources=tuple(f"{m}_prediction" for m in MODELS),
        ),
        Column("ensemble_members", "string", "", "models in ensemble_avg, comma-separated"),
        Column(
            "baseline_prediction",
            "double",
            _UNIT,
            "forecast of the best baseline",
            sources=read,
        ),
        Column("lower_80", "double", _UNIT, "lower end of the 80 % conformal interval of ensemble_avg"),
        Column("upper_80", "double", _UNIT, "upper end of the 80 % conformal interval of ensemble_avg"),
        Column("lower_95", "double", _UNIT, "lower end of the 95 % conformal interval of ensemble_avg"),
        Column("upper_95", "double", _UNIT, "upper end of the 95 % conformal interval of ensemble_avg"),
        Column(
            "lightgbm_optimal_probability", "double", "1", "probability that is_env_optimal at prediction_for", 0, 1
        ),
        *(Column(f"{m}_version", "string", "", f"registered version of the {m} model") for m in MODELS),
        Column("prediction_quality", "string", "", "ok, or why the row has no full prediction"),
        Column(
            "prediction_reason", "string", "", "what kept each absent model from forecasting; null when none is absent"
        ),
        Column("inference_timestamp", "timestamp", "", "when the row was scored, UTC"),
    )
    return Table(
        names.BATCH_PREDICTIONS,
        (*carried, *own),
        "One row per feature row and horizon step: predicted, or saying why not.",
        keys=(*KEYS, "horizon"),
        partition_by="date",
        time_column="timestamp",
    )


SYSTEM_OUTLOOK = Table(
    names.SYSTEM_OUTLOOK,
    (
        Column("system_id", "string", "", "the hydroponic system", nullable=False),
        Column("timestamp", "timestamp", "", "start of its newest scored step, UTC", nullable=False),
        Column("age_minutes", "double", "min", "from the end of that step to updated_at"),
        Column("target_col", "string", "", "column that is forecast"),
        Column("current_value", "double", _UNIT, "the target at timestamp; null when it is not known"),
        Column("band_low", "double", _UNIT, "lower end of the crop band; null when the target has none"),
        Column("band_high", "double", _UNIT, "upper end of the crop band; null when the target has none"),
        Column("is_in_band", "boolean", "", "current_value lies in the band"),
        Column("horizon", "int", "steps", "longest horizon of the forecast", 1, None),
        Column("prediction_for", "timestamp", "", "start of the step that the longest horizon forecasts, UTC"),
        Column("prediction", "double", _UNIT, "ensemble_avg at prediction_for"),
        *(
            Column(f"{end}_{share}", "double", _UNIT, f"{end} end of the {share} % interval of prediction")
            for share in (80, 95)
            for end in ("lower", "upper")
        ),
        Column(
            "leaving_probability",
            "double",
            "1",
            "probability of being outside the band at a step within the "
            "horizon, at least; 1 when outside now; null without an interval",
            0,
            1,
        ),
        Column(
            "minutes_to_leaving",
            "double",
            "min",
            "until the band is left; 0 when outside now; null when leaving is not foreseen",
            0,
            None,
        ),
        Column("leaving_by", "string", "", "what minutes_to_leaving rests on: outside, forecast or trend"),
        Column("optimal_probability", "double", "1", "probability that is_env_optimal at prediction_for", 0, 1),
        Column("ensemble_members", "string", "", "models in prediction, comma-separated"),
        Column("prediction_quality", "string", "", "ok, or why there is no full prediction"),
        *(Column(f"{m}_version", "string", "", f"registered version of the {m} model") for m in MODELS),
        Column("inference_timestamp", "timestamp", "", "when the row was scored, UTC"),
        Column("updated_at", "timestamp", "", "when this table was written, UTC"),
    ),
    "The newest forecast of each system: what a dashboard reads.",
    keys=("system_id",),
    time_column="timestamp",
)

PREDICTION_ACCURACY = Table(
    names.PREDICTION_ACCURACY,
    (
        Column("date", "date", "", "UTC day of the truth (prediction_for); partition", nullable=False),
        Column("system_id", "string", "", "the system, or `all` of them", nullable=False),
        Column("target_col", "string", "", "column that was forecast"),
        Column(
            "model",
            "string",
            "",
            "lstm, gru, lightgbm, ensemble (rows with a learned member) or baseline",
            nullable=False,
        ),
        Column("version", "string", "", "registered version; null for ensemble and baseline"),
        Column("horizon", "int", "steps", "steps ahead", 1, None, nullable=False),
        Column("n", "bigint", "1", "forecasts whose truth is known", 0, None),
        Column("mae", "double", _UNIT, "mean absolute error", 0, None),
        Column("rmse", "double", _UNIT, "root of the mean squared error", 0, None),
        Column("bias", "double", _UNIT, "mean of forecast minus truth"),
        Column(
            "baseline_mae",
            "double",
            _UNIT,
            "mean absolute error of the baseline on the same rows",
            0,
            None,
        ),
        Column("skill", "double", "1", "1 - mae / baseline_mae", None, 1),
        Column("coverage_80", "double", "1", "share of truths inside the 80 % interval; ensemble only", 0, 1),
        Column("coverage_95", "double", "1", "share of truths inside the 95 % interval; ensemble only", 0, 1),
        Column("n_classified", "bigint", "1", "probabilities whose truth is known; lightgbm only", 0, None),
        Column("brier", "double", "1", "mean squared error of the probability that is_env_optimal (Brier 1950)", 0, 1),
        Column("mean_probability", "double", "1", "mean forecast probability that is_env_optimal", 0, 1),
        Column("optimal_share", "double", "1", "share of the same rows that were is_env_optimal", 0, 1),
    ),
    "Errors of the stored predictions by day of the truth, model, horizon and system.",
    keys=("date", "system_id", "model", "version", "horizon"),
    partition_by="date",
    time_column="date",
)

FEATURE_DRIFT = Table(
    names.FEATURE_DRIFT,
    (
        Column("date", "date", "", "last UTC day of the compared days; partition", nullable=False),
        Column("model", "string", "", "model whose training data is the reference", nullable=False),
        Column("version", "string", "", "registered version of the model"),
        Column("feature", "string", "", "the feature", nullable=False),
        Column("days", "int", "d", "days that were compared, date included", 1, None),
        Column("n", "bigint", "1", "rows that were compared", 0, None),
        Column(
            "psi", "double", "1", "population stability index over the training deciles; null without a value", 0, None
        ),
        Column("missing_share", "double", "1", "share of the rows without a value", 0, 1),
        Column("reference_missing_share", "double", "1", "the same in the training data", 0, 1),
    ),
    "How far the features of the last days are from the data that the serving models learned from.",
    keys=("date", "model", "feature"),
    partition_by="date",
    time_column="date",
)

PROMOTION_LOG = Table(
    names.PROMOTION_LOG,
    (
        Column("decided_at", "timestamp", "", "when it was decided, UTC", nullable=False),
        Column("kind", "string", "", "lstm, gru or lightgbm", nullable=False),
        Column("model_name", "string", "", "registered model", nullable=False),
        Column("action", "string", "", "promoted, kept or rolled_back", nullable=False),
        Column("champion_before", "string", "", "version that was champion; null when there was none"),
        Column("champion_after", "string", "", "version that is champion from now on; null when there is none"),
        Column("challenger", "string", "", "version that was judged"),
        Column("metric", "string", "", "mae, or brier for a model that only classifies"),
        Column("unit", "string", "", "unit of the errors"),
        Column("champion_error", "double", "unit", "error of the champion, mean over horizons", 0),
        Column("challenger_error", "double", "unit", "error of the challenger, mean over horizons", 0),
        Column("baseline_error", "double", "unit", "error of the better baseline on these rows, mean over horizons", 0),
        Column("compared", "bigint", "1", "forecasts compared", 0),
        Column("holdout_start", "timestamp", "", "first moment of the compared rows, UTC"),
        Column("holdout_end", "timestamp", "", "end of the compared rows, exclusive, UTC"),
        Column("reason", "string", "", "why, in a sentence", nullable=False),
    ),
    "Every decision on which version serves.",
    keys=("decided_at", "kind"),
    time_column="decided_at",
)
