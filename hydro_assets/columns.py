"""Every column once: name, type, unit, meaning, physical range, sources. Schemas, checks, lineage and docs read it.

Names derived from a sensor end in their statistic, and in their window or lag where they have one:
`ph_level` (mean of the step), `ph_level_std`, `ph_level_lag_5min`, `ph_level_mean_1h`. Booleans start with `is_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hydro_assets.settings import duration_text


@dataclass(frozen=True)
class Column:
    """One column of a table. `type` is a Spark SQL type; `sources` are full column names it is computed from."""

    name: str
    type: str
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    sources: tuple[str, ...] = ()
    nullable: bool = True

    @property
    def range_text(self) -> str:
        if self.low is None and self.high is None:
            return ""
        return f"{'' if self.low is None else f'{self.low:g}'} .. {'' if self.high is None else f'{self.high:g}'}"


@dataclass(frozen=True)
class Table:
    """A Delta table: its name without catalog, columns in order, keys and partition column."""

    name: str
    columns: tuple[Column, ...]
    comment: str
    keys: tuple[str, ...] = ()
    partition_by: str | None = None
    time_column: str | None = None
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def column_names(self) -> list[str]:
        return [c.name for c in self.columns]

    def __getitem__(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


# -- sensors and actuators ---------------------------------------------------------------------------------------------

# Physical range: what the quantity can be in a nutrient solution or a greenhouse, wider than any crop band; a reading
# outside it is a fault of probe or wiring. pH by definition 0..14, of which glass electrodes in nutrient solution
# resolve 1..13 (zero is the usual placeholder of a disconnected probe); TDS probes of this class end at 5000 ppm
# (10 mS/cm on the 500 scale); DHT22 data sheet: -40..80 C, 0..100 %RH, of which a greenhouse uses -20..60 C.
SENSORS: tuple[Column, ...] = (
    Column("ph_level", "double", "pH", "acidity of the nutrient solution", 1.0, 13.0),
    Column("tds_level", "double", "ppm", "total dissolved solids of the nutrient solution", 0.0, 5000.0),
    Column("ec_level", "double", "mS/cm", "electrical conductivity of the nutrient solution", 0.0, 10.0),
    Column("air_temperature", "double", "degC", "air temperature", -20.0, 60.0),
    Column("air_humidity", "double", "%RH", "relative humidity of the air", 0.0, 100.0),
    Column("water_temperature", "double", "degC", "temperature of the nutrient solution", 0.0, 50.0),
)
SENSOR: dict[str, Column] = {c.name: c for c in SENSORS}

# Sensors for which an exact zero cannot be a measurement while the system runs, and so is a placeholder.
ZERO_IS_PLACEHOLDER: frozenset[str] = frozenset({"ph_level", "tds_level", "ec_level", "air_humidity"})

# Each of these is needed to learn anything; conductivity may be given as TDS or as EC.
REQUIRED_SENSORS: tuple[tuple[str, ...], ...] = (
    ("ph_level",),
    ("tds_level", "ec_level"),
    ("air_temperature",),
    ("air_humidity",),
)

# (Gold column, equipment_code of dim_equipment, description)
ACTUATORS: tuple[tuple[str, str, str], ...] = (
    ("is_ph_reducer_on", "pH_reducer", "pump that doses acid to lower pH"),
    ("is_add_water_on", "add_water", "valve that adds fresh water"),
    ("is_nutrients_adder_on", "nutrients_adder", "pump that doses nutrient concentrate"),
    ("is_humidifier_on", "humidifier", "humidifier"),
    ("is_ex_fan_on", "ex_fan", "exhaust fan"),
)
ACTUATOR_COLUMNS: tuple[str, ...] = tuple(a[0] for a in ACTUATORS)

# Gold's own flags: computed from the step's readings by the bands of the crop profile.
OPTIMAL_FLAGS: dict[str, str] = {
    "is_ph_optimal": "ph_level",
    "is_tds_optimal": "tds_level",
    "is_temp_optimal": "air_temperature",
    "is_humidity_optimal": "air_humidity",
}

# -- Gold --------------------------------------------------------------------------------------------------------------

GOLD_IOT_DATA = Table(
    "gold.iot_data",
    (
        Column("reading_id", "int", "", "number of the reading in its source; never a feature"),
        Column(
            "timestamp_key",
            "timestamp",
            "",
            "when the reading was taken; naive, in the farm's time zone",
            nullable=False,
        ),
        Column("system_id", "string", "", "the hydroponic system that was measured"),
        *SENSORS,
        Column("water_level", "int", "code", "level of the tank", 0, 3),
        *(Column(name, "boolean", "", f"state of the {text}") for name, _, text in ACTUATORS),
        *(Column(flag, "boolean", "", f"{sensor} lies in the optimal band") for flag, sensor in OPTIMAL_FLAGS.items()),
        Column("ingestion_timestamp", "timestamp", "", "when the reading arrived in the lakehouse (UTC)"),
        Column("source_file", "string", "", "file or stream the reading came from"),
        Column("date", "date", "", "calendar day of timestamp_key; partition", nullable=False),
    ),
    "One row per sensor reading, cleaned by the farm's Bronze/Silver/Gold pipeline.",
    keys=("system_id", "timestamp_key", "reading_id"),
    partition_by="date",
    time_column="timestamp_key",
)

GOLD_DIM_TIME = Table(
    "gold.dim_time",
    (
        Column("timestamp_key", "timestamp", "", "start of the hour, naive, in the farm's time zone", nullable=False),
        Column("date", "date", "", "calendar day", nullable=False),
        Column("hour", "int", "h", "hour of day", 0, 23),
        Column("day_of_week", "int", "", "1 = Monday .. 7 = Sunday (ISO 8601)", 1, 7),
        Column("month", "int", "", "month of year", 1, 12),
        Column("day_type", "string", "", "weekday or weekend"),
    ),
    "Calendar, one row per hour that Gold covers.",
    keys=("timestamp_key",),
    time_column="timestamp_key",
)

GOLD_DIM_EQUIPMENT = Table(
    "gold.dim_equipment",
    (
        Column("equipment_id", "int", "", "1 .. 5", nullable=False),
        Column("equipment_code", "string", "", "code that names the actuator in raw exports", nullable=False),
        Column("equipment_name", "string", "", "readable name"),
        Column("description", "string", "", "what it does"),
    ),
    "The five actuators of a system.",
    keys=("equipment_id",),
)

EQUIPMENT_ROWS: tuple[tuple[int, str, str, str], ...] = tuple(
    (i, code, code.replace("_", " "), text) for i, (_, code, text) in enumerate(ACTUATORS, start=1)
)

# -- sensor_features ---------------------------------------------------------------------------------------------------

WINDOWS: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
LAGS: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60))
STUCK_WINDOW = timedelta(hours=3)
KEYS = ("system_id", "timestamp")


def usable_windows(step: timedelta) -> list[timedelta]:
    """Windows that hold at least two steps of the grid."""
    return [w for w in WINDOWS if w >= 2 * step]


def usable_lags(step: timedelta) -> list[timedelta]:
    """Lags that fall on the grid; a coarse grid uses 1, 2, 3 steps where the standard minutes do not fit."""
    on_grid = [lag for lag in LAGS if lag >= step and lag % step == timedelta(0)]
    return sorted({*on_grid, step, 2 * step, 3 * step})


def sensor_features_table(step: timedelta, sensors: Sequence[str], actuators: Sequence[str]) -> Table:
    """The feature table of a farm that has these sensors and actuators, on a grid of `step`."""
    gold = "gold.iot_data."
    columns: list[Column] = [
        Column("system_id", "string", "", "the hydroponic system", nullable=False, sources=(gold + "system_id",)),
        Column(
            "timestamp",
            "timestamp",
            "",
            "start of the grid step, UTC; the row uses readings stamped before its end",
            nullable=False,
            sources=(gold + "timestamp_key",),
        ),
        Column(
            "date", "date", "", "UTC day of timestamp; partition", nullable=False, sources=(gold + "timestamp_key",)
        ),
        Column(
            "reading_count",
            "int",
            "1",
            "readings in the step after removal of duplicates",
            0,
            None,
            (gold + "timestamp_key",),
        ),
        Column(
            "known_at",
            "timestamp",
            "",
            "arrival of the step's last reading (end of the step where Gold has no ingestion_timestamp), UTC",
            sources=(gold + "ingestion_timestamp",),
        ),
        Column(
            "minutes_since_previous",
            "double",
            "min",
            "distance to the step before that had a reading, up to 24 h",
            0,
            1440,
            (gold + "timestamp_key",),
        ),
    ]
    for name in sensors:
        columns += _sensor_columns(SENSOR[name], step)
    columns.append(
        Column(
            "water_level", "double", "code", "last level code of the tank in the step", 0, 3, (gold + "water_level",)
        )
    )
    for name in actuators:
        columns += _actuator_columns(name, step)
    time = (gold + "timestamp_key",)
    calendar = ("gold.dim_time.timestamp_key",)
    columns += [
        Column("hour_sin", "double", "1", "hour of day on a circle, sine, farm time", -1, 1, calendar),
        Column("hour_cos", "double", "1", "hour of day on a circle, cosine, farm time", -1, 1, calendar),
        Column("weekday_sin", "double", "1", "weekday on a circle, sine, farm time", -1, 1, calendar),
        Column("weekday_cos", "double", "1", "weekday on a circle, cosine, farm time", -1, 1, calendar),
        Column("is_weekend", "boolean", "", "day_type of dim_time is weekend", sources=("gold.dim_time.day_type",)),
        Column(
            "is_env_optimal",
            "boolean",
            "",
            "every banded sensor lies in the crop's band; false when one lies outside, else null when one is unknown",
            sources=tuple(gold + s for s in sensors if s in _BANDED),
        ),
    ]
    columns += [
        Column(
            f"missing_share_{duration_text(w)}",
            "double",
            "1",
            f"share of the last {duration_text(w)} without a reading in this segment",
            0,
            1,
            time,
        )
        for w in usable_windows(step)
    ]
    return Table(
        "feature_store.sensor_features",
        tuple(columns),
        "One row per system and grid step in which a reading was taken. Windows are time windows inside one segment: "
        "nothing crosses a gap, a system or the present.",
        keys=KEYS,
        partition_by="date",
        time_column="timestamp",
        properties=(("hydro.feature_step", duration_text(step)),),
    )


_BANDED = ("ph_level", "tds_level", "ec_level", "air_temperature", "air_humidity")


def _sensor_columns(sensor: Column, step: timedelta) -> Iterable[Column]:
    n, unit, lo, hi = sensor.name, sensor.unit, sensor.low, sensor.high
    src = (f"gold.iot_data.{n}",)
    span = None if lo is None or hi is None else hi - lo
    yield Column(n, "double", unit, f"{sensor.meaning}, mean of the step's valid readings", lo, hi, src)
    yield Column(f"{n}_min", "double", unit, "smallest valid reading of the step", lo, hi, src)
    yield Column(f"{n}_max", "double", unit, "largest valid reading of the step", lo, hi, src)
    yield Column(f"{n}_std", "double", unit, "population standard deviation of the step's valid readings", 0, span, src)
    yield Column(f"{n}_count", "int", "1", "valid readings in the step", 0, None, src)
    for lag in usable_lags(step):
        yield Column(
            f"{n}_lag_{duration_text(lag)}",
            "double",
            unit,
            f"step mean {duration_text(lag)} earlier, same segment",
            lo,
            hi,
            src,
        )
    yield Column(
        f"{n}_change_per_min", "double", f"{unit}/min", "rate of change since the previous step", None, None, src
    )
    for window in usable_windows(step):
        w = duration_text(window)
        yield Column(f"{n}_mean_{w}", "double", unit, f"mean of step means over the last {w}", lo, hi, src)
        yield Column(
            f"{n}_std_{w}", "double", unit, f"sample standard deviation of step means over the last {w}", 0, span, src
        )
        yield Column(f"{n}_min_{w}", "double", unit, f"smallest step mean of the last {w}", lo, hi, src)
        yield Column(f"{n}_max_{w}", "double", unit, f"largest step mean of the last {w}", lo, hi, src)
        yield Column(
            f"{n}_slope_{w}",
            "double",
            f"{unit}/h",
            f"least-squares slope of step means over the last {w}",
            None,
            None,
            src,
        )
    yield Column(
        f"is_{n}_out_of_range", "boolean", "", "a reading of the step lay outside the physical range", sources=src
    )
    yield Column(f"is_{n}_placeholder_zero", "boolean", "", "a reading of the step was an impossible zero", sources=src)
    yield Column(
        f"is_{n}_saturated", "boolean", "", "all readings of the step sit at an end of the physical range", sources=src
    )
    yield Column(f"is_{n}_stuck", "boolean", "", "no change at all over the last 3 h", sources=src)
    yield Column(
        f"is_{n}_noise_only",
        "boolean",
        "",
        "the last 6 h look like white noise wider than the probe's own (lag-1 autocorrelation under 0.2)",
        sources=src,
    )
    if n in _BANDED:
        yield Column(
            f"{n}_band_distance", "double", unit, "distance to the crop band; 0 inside, negative below", None, None, src
        )
        for window in usable_windows(step):
            w = duration_text(window)
            yield Column(
                f"{n}_share_in_band_{w}",
                "double",
                "1",
                f"share of step means of the last {w} in the crop band",
                0,
                1,
                src,
            )


def _actuator_columns(name: str, step: timedelta) -> Iterable[Column]:
    src = (f"gold.iot_data.{name}", "gold.dim_equipment.equipment_code")
    stem = name.removeprefix("is_").removesuffix("_on")
    yield Column(name, "boolean", "", "state at the end of the step", sources=src)
    yield Column(
        f"{stem}_minutes_since_on",
        "double",
        "min",
        "time since it was last on, up to 24 h; null if it was not",
        0,
        1440,
        src,
    )
    for window in usable_windows(step):
        w = duration_text(window)
        yield Column(
            f"{stem}_share_on_{w}", "double", "1", f"share of known states of the last {w} that were on", 0, 1, src
        )


# -- predictions -------------------------------------------------------------------------------------------------------

MODELS: tuple[str, ...] = ("lstm", "gru", "lightgbm")


def batch_predictions_table(features: Table) -> Table:
    """All feature columns, then the forecast of each model, the ensemble, its interval and where they came from."""
    feature = "feature_store.sensor_features."
    read = tuple(feature + c.name for c in features.columns if c.name in SENSOR)
    carried = tuple(replace(c, sources=(feature + c.name,)) for c in features.columns)
    forecast = tuple(
        Column(f"{m}_prediction", "double", "unit of target_col", f"forecast of the {m} model", sources=read)
        for m in MODELS
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
            "unit of target_col",
            "mean of the models' forecasts",
            sources=tuple(f"{m}_prediction" for m in MODELS),
        ),
        Column("ensemble_members", "string", "", "models in ensemble_avg, comma-separated"),
        Column(
            "baseline_prediction",
            "double",
            "unit of target_col",
            "forecast of the best baseline",
            sources=read,
        ),
        Column("lower_80", "double", "unit of target_col", "lower end of the 80 % conformal interval of ensemble_avg"),
        Column("upper_80", "double", "unit of target_col", "upper end of the 80 % conformal interval of ensemble_avg"),
        Column("lower_95", "double", "unit of target_col", "lower end of the 95 % conformal interval of ensemble_avg"),
        Column("upper_95", "double", "unit of target_col", "upper end of the 95 % conformal interval of ensemble_avg"),
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
        "predictions.batch_predictions",
        (*carried, *own),
        "One row per feature row and horizon step: predicted, or saying why not.",
        keys=(*KEYS, "horizon"),
        partition_by="date",
        time_column="timestamp",
    )


SYSTEM_OUTLOOK = Table(
    "predictions.system_outlook",
    (
        Column("system_id", "string", "", "the hydroponic system", nullable=False),
        Column("timestamp", "timestamp", "", "start of its newest scored step, UTC", nullable=False),
        Column("age_minutes", "double", "min", "from the end of that step to updated_at"),
        Column("target_col", "string", "", "column that is forecast"),
        Column("current_value", "double", "unit of target_col", "the target at timestamp; null when it is not known"),
        Column("band_low", "double", "unit of target_col", "lower end of the crop band; null when the target has none"),
        Column(
            "band_high", "double", "unit of target_col", "upper end of the crop band; null when the target has none"
        ),
        Column("is_in_band", "boolean", "", "current_value lies in the band"),
        Column("horizon", "int", "steps", "longest horizon of the forecast", 1, None),
        Column("prediction_for", "timestamp", "", "start of the step that the longest horizon forecasts, UTC"),
        Column("prediction", "double", "unit of target_col", "ensemble_avg at prediction_for"),
        *(
            Column(
                f"{end}_{share}", "double", "unit of target_col", f"{end} end of the {share} % interval of prediction"
            )
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
    "predictions.prediction_accuracy",
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
        Column("mae", "double", "unit of target_col", "mean absolute error", 0, None),
        Column("rmse", "double", "unit of target_col", "root of the mean squared error", 0, None),
        Column("bias", "double", "unit of target_col", "mean of forecast minus truth"),
        Column(
            "baseline_mae",
            "double",
            "unit of target_col",
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
    "predictions.feature_drift",
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
