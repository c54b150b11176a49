"""What is written from forecasts: forecasts, predictions, outlook, accuracy, drift, and the log of promotions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hydro_assets.durations import duration_text
from hydro_assets.tables import names
from hydro_assets.tables.column import Column, Table
from hydro_assets.tables.feature_table import KEYS
from hydro_assets.tables.sensors import SENSOR

MODELS: tuple[str, ...] = ("lstm", "gru", "lightgbm")
ALL_SYSTEMS = "all"
"""`system_id` of rows that hold for all systems together."""
BASELINES: tuple[str, ...] = ("persistence", "short_mean", "same_time_yesterday")
BOUNDS: tuple[str, ...] = ("lower_80", "upper_80", "lower_95", "upper_95")
LEAVING_WINDOWS: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6))

_UNIT = "unit of target"
_READ = tuple(f"{names.SENSOR_FEATURES}.{name}" for name in SENSOR)
_KEY_COLUMNS = (
    Column("system_id", "string", "", "the hydroponic system", nullable=False),
    Column("timestamp", "timestamp", "", "start of the newest step that was known, UTC", nullable=False),
)
_VERSIONS = tuple(Column(f"{m}_version", "string", "", f"registered version of the {m} model") for m in MODELS)
_FORECAST = (
    *(Column(f"{m}_prediction", "double", _UNIT, f"forecast of the {m} model", sources=_READ) for m in MODELS),
    Column(
        "ensemble_avg",
        "double",
        _UNIT,
        "mean of the models' forecasts",
        sources=tuple(f"{m}_prediction" for m in MODELS),
    ),
    Column("ensemble_members", "string", "", "models in ensemble_avg, comma-separated"),
    Column("baseline_prediction", "double", _UNIT, "forecast of the best baseline of the validation", sources=_READ),
    *(
        Column(f"{side}_{share}", "double", _UNIT, f"{side} end of the {share} % conformal interval of ensemble_avg")
        for share in (80, 95)
        for side in ("lower", "upper")
    ),
)
_HORIZON = Column("horizon", "int", "steps", "steps ahead of timestamp", 1, None, nullable=False)
_PREDICTION_FOR = Column(
    "prediction_for", "timestamp", "", "start of the step that is forecast, UTC: timestamp + horizon * step"
)
_MADE = (
    *_VERSIONS,
    Column("prediction_quality", "string", "", "ok, or why the row has no full prediction"),
    Column("prediction_reason", "string", "", "what kept each absent model from forecasting; null when none is absent"),
    Column("inference_timestamp", "timestamp", "", "when the row was scored, UTC"),
)

FORECASTS = Table(
    names.FORECASTS,
    (
        *_KEY_COLUMNS,
        Column("date", "date", "", "UTC day of timestamp; partition", nullable=False),
        Column(
            "target",
            "string",
            "",
            "sensor that is forecast; or a label such as is_env_optimal, then forecasts are its probability",
            nullable=False,
        ),
        _HORIZON,
        Column("lead_minutes", "double", "min", "time ahead: horizon * step", 0, None),
        _PREDICTION_FOR,
        *_FORECAST,
        *(Column(name, "double", _UNIT, f"baseline: {name.replace('_', ' ')}", sources=_READ) for name in BASELINES),
        Column(
            "leaving_probability",
            "double",
            "1",
            "probability that the target lies outside the crop band at some step up to prediction_for; 1 when it is "
            "outside at timestamp; null for a target without a band",
            0,
            1,
        ),
        Column("is_in_training", "boolean", "", "a model that serves here has learned from this row"),
        *_MADE,
    ),
    "All forecasts: one row per feature row, target and lead time, predicted or saying why not.",
    keys=(*KEYS, "target", "horizon"),
    partition_by="date",
    time_column="timestamp",
)


def batch_predictions_table(features: Table) -> Table:
    """All feature columns, then what is forecast of the primary target at the steps 1 .. forecast_horizon."""
    feature = f"{names.SENSOR_FEATURES}."
    carried = tuple(replace(c, sources=(feature + c.name,)) for c in features.columns)
    own = (
        Column("target_col", "string", "", "column that is forecast"),
        _HORIZON,
        _PREDICTION_FOR,
        *_FORECAST,
        Column(
            "lightgbm_optimal_probability",
            "double",
            "1",
            "probability that is_env_optimal at prediction_for; null where training saw one class only",
            0,
            1,
        ),
        *_MADE,
    )
    return Table(
        names.BATCH_PREDICTIONS,
        (*carried, *own),
        "One row per feature row and horizon step: predicted, or saying why not.",
        keys=(*KEYS, "horizon"),
        partition_by="date",
        time_column="timestamp",
    )


def system_outlook_table(leads: Iterable[timedelta]) -> Table:
    """The outlook with the forecast at each of `leads`."""
    texts = [duration_text(lead) for lead in leads]
    return Table(
        names.SYSTEM_OUTLOOK,
        (
            *_KEY_COLUMNS,
            Column("age_minutes", "double", "min", "from the end of that step to updated_at"),
            Column("target", "string", "", "sensor that is forecast", nullable=False),
            Column("current_value", "double", _UNIT, "the target at timestamp; null when it is not known"),
            Column("band_low", "double", _UNIT, "lower end of the crop band; null when the target has none"),
            Column("band_high", "double", _UNIT, "upper end of the crop band; null when the target has none"),
            Column("is_in_band", "boolean", "", "current_value lies in the band"),
            *(Column(f"prediction_{text}", "double", _UNIT, f"ensemble_avg {text} ahead") for text in texts),
            Column("lead_minutes", "double", "min", "the farthest lead time with a forecast", 0, None),
            Column("prediction_for", "timestamp", "", "start of the step that it forecasts, UTC"),
            Column("prediction", "double", _UNIT, "ensemble_avg at prediction_for"),
            *(
                Column(f"{side}_{share}", "double", _UNIT, f"{side} end of the {share} % interval of prediction")
                for share in (80, 95)
                for side in ("lower", "upper")
            ),
            *(
                Column(
                    f"leaving_probability_{duration_text(w)}",
                    "double",
                    "1",
                    f"probability of being outside the band at some step of the next {duration_text(w)}; 1 when "
                    "outside now; null without a forecast so far ahead",
                    0,
                    1,
                )
                for w in LEAVING_WINDOWS
            ),
            Column(
                "minutes_to_leaving",
                "double",
                "min",
                "until the probability of having left the band reaches one half; 0 when outside now; null when it "
                "does not within the lead times",
                0,
                None,
            ),
            Column(
                "optimal_probability", "double", "1", "probability that is_env_optimal at the farthest lead time", 0, 1
            ),
            Column(
                "optimal_quality",
                "string",
                "",
                "ok, or one_class: training saw one class only, and the probability is its smoothed share",
            ),
            Column("ensemble_members", "string", "", "models in prediction, comma-separated"),
            Column("prediction_quality", "string", "", "ok, or why there is no full prediction"),
            *_VERSIONS,
            Column("inference_timestamp", "timestamp", "", "when the row was scored, UTC"),
            Column("updated_at", "timestamp", "", "when this table was written, UTC"),
        ),
        "The newest forecasts of each system and target: what a dashboard reads.",
        keys=("system_id", "target"),
        time_column="timestamp",
    )


PREDICTION_ACCURACY = Table(
    names.PREDICTION_ACCURACY,
    (
        Column("date", "date", "", "UTC day of the actual value (prediction_for); partition", nullable=False),
        Column("system_id", "string", "", "the system, or `all` of them", nullable=False),
        Column("target", "string", "", "sensor or label that was forecast"),
        Column(
            "model",
            "string",
            "",
            "lstm, gru, lightgbm, ensemble (rows with a learned member) or baseline (the one of the validation)",
            nullable=False,
        ),
        Column("version", "string", "", "registered version; null for ensemble and baseline"),
        Column("horizon", "int", "steps", "steps ahead", 1, None, nullable=False),
        Column("lead_minutes", "double", "min", "time ahead", 0, None),
        Column(
            "is_in_training",
            "boolean",
            "",
            "a model that served had learned from these rows; such rows say nothing about new ones",
        ),
        Column("n", "bigint", "1", "forecasts whose actual value is known", 0, None),
        Column("mae", "double", _UNIT, "mean absolute error", 0, None),
        Column("rmse", "double", _UNIT, "root of the mean squared error", 0, None),
        Column("bias", "double", _UNIT, "mean of forecast minus actual value"),
        *(
            Column(f"{name}_mae", "double", _UNIT, f"mean absolute error of {name.replace('_', ' ')}, same rows", 0)
            for name in BASELINES
        ),
        Column("baseline", "string", "", "the best of these three"),
        Column("baseline_mae", "double", _UNIT, "its mean absolute error", 0, None),
        Column("skill", "double", "1", "1 - mae / baseline_mae", None, 1),
        Column("coverage_80", "double", "1", "share of actual values inside the 80 % interval; ensemble only", 0, 1),
        Column("coverage_95", "double", "1", "share of actual values inside the 95 % interval; ensemble only", 0, 1),
        Column(
            "n_events",
            "bigint",
            "1",
            "probabilities whose outcome is known: of a label, or for the ensemble of a sensor of leaving the band, "
            "counted where it was inside at the start",
            0,
            None,
        ),
        Column("brier", "double", "1", "mean squared error of these probabilities (Brier 1950)", 0, 1),
        Column("mean_probability", "double", "1", "their mean", 0, 1),
        Column("event_share", "double", "1", "share of the same rows in which the event came", 0, 1),
        Column("n_foreseen", "bigint", "1", "rows with a probability of at least one half", 0, None),
        Column("hit_rate", "double", "1", "share of these in which the event came", 0, 1),
    ),
    "Errors of the stored forecasts by day of the actual value, model, target, lead time and system.",
    keys=("date", "system_id", "target", "model", "version", "horizon", "is_in_training"),
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
        Column("action", "string", "", "promoted, kept, rolled_back, or moved: by hand in MLflow", nullable=False),
        Column("champion_before", "string", "", "version that was champion; null when there was none"),
        Column("champion_after", "string", "", "version that is champion from now on; null when there is none"),
        Column("challenger", "string", "", "version that was judged"),
        Column(
            "challenger_error",
            "double",
            "1",
            "MAE over that of the best baseline on the same rows, mean over targets and lead times; under 1 is better",
            0,
        ),
        Column("champion_error", "double", "1", "the same of the champion", 0),
        Column("error_difference", "double", "1", "challenger_error - champion_error"),
        Column("error_difference_low", "double", "1", "lower end of its 95 % block-bootstrap interval"),
        Column("error_difference_high", "double", "1", "upper end of its 95 % block-bootstrap interval"),
        Column("challenger_brier", "double", "1", "Brier score of its probabilities, mean over labels and lead times"),
        Column("champion_brier", "double", "1", "the same of the champion"),
        Column("compared", "bigint", "1", "forecasts compared", 0),
        Column("holdout_start", "timestamp", "", "first moment of the compared rows, UTC"),
        Column("holdout_end", "timestamp", "", "end of the compared rows, exclusive, UTC"),
        Column("reason", "string", "", "why, in a sentence", nullable=False),
    ),
    "Every decision on which version serves.",
    keys=("decided_at", "kind"),
    time_column="decided_at",
)
