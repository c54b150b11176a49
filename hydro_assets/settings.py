"""Every choice a farm can make, in one frozen object.

Sources, strongest first: arguments, `HYDRO_*` environment variables (nested with `__`, for example
`HYDRO_RECURRENT__EPOCHS=20`), then `hydro.toml` in `HYDRO_HOME`. Nothing else overrides a setting.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as BadValue

from hydro_assets.durations import Duration
from hydro_assets.errors import SettingsError
from hydro_assets.tables import names
from hydro_assets.tables.sensors import ACTUATOR_COLUMNS, OPTIMAL_FLAGS, SENSOR

_TABLE_NAME = re.compile(r"\w+(\.\w+){0,2}", re.ASCII)


def _words(value: object) -> object:
    """`a, b` as an environment variable gives it -> ["a", "b"]; anything else as it is."""
    return [w.strip() for w in value.split(",") if w.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Durations = Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(_words)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Frozen):
    """Closed interval in which a sensor is optimal for the crop."""

    low: float = Field(description="lower end, in the unit of the sensor; itself optimal")
    high: float = Field(description="upper end, in the unit of the sensor; itself optimal")

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if not self.low < self.high:
            raise ValueError(f"a band needs low < high, got {self.low} and {self.high}")
        return self


class CropProfile(_Frozen):
    """Optimal bands of one crop. The default is the bands that Gold's own `is_*_optimal` flags use."""

    name: str = Field("gold_flags", description="name of the crop, to read in tables and notes")
    ph_level: Band = Field(default=Band(low=5.5, high=6.5), description="pH")
    tds_level: Band = Field(default=Band(low=800, high=1200), description="ppm on the scale of `tds_scale`")
    air_temperature: Band = Field(default=Band(low=20, high=28), description="degrees Celsius")
    air_humidity: Band = Field(default=Band(low=40, high=70), description="percent relative humidity")
    tds_scale: Literal[500, 640, 700] = Field(
        default=500, description="ppm per mS/cm of the farm's TDS meter (500 = NaCl, 640 = EU, 700 = KCl/442)"
    )

    def bands(self) -> dict[str, Band]:
        """Band per sensor column; EC gets the TDS band converted by `tds_scale`."""
        return {
            "ph_level": self.ph_level,
            "tds_level": self.tds_level,
            "ec_level": Band(low=self.tds_level.low / self.tds_scale, high=self.tds_level.high / self.tds_scale),
            "air_temperature": self.air_temperature,
            "air_humidity": self.air_humidity,
        }


class RecurrentConfig(_Frozen):
    """Hyper-parameters of the LSTM and GRU forecasters."""

    hidden_size: int = Field(64, ge=1, le=2048, description="units of one recurrent layer")
    num_layers: int = Field(2, ge=1, le=8, description="recurrent layers, one on the other")
    dropout: float = Field(0.2, ge=0, lt=1, description="between recurrent layers; ignored with one layer")
    learning_rate: float = Field(0.001, gt=0, le=1, description="step size of the Adam optimiser at the start")
    batch_size: int = Field(32, ge=1, le=65536, description="windows between two updates of the weights")
    epochs: int = Field(50, ge=1, le=10000, description="most passes over the training windows")
    patience: int = Field(8, ge=1, description="epochs without a better validation loss before training stops")
    max_windows_per_epoch: int | None = Field(
        None, ge=1, description="train each epoch on this many windows, drawn at random; None reads all"
    )


class LightGBMConfig(_Frozen):
    """Hyper-parameters of the LightGBM learner."""

    task_type: Literal["classification", "regression", "both"] = Field(
        "both", description="learn the probability of the labels, the values of the targets, or both"
    )
    num_leaves: int = Field(31, ge=2, le=131072, description="most leaves of one tree")
    learning_rate: float = Field(0.05, gt=0, le=1, description="share of each new tree that is added")
    num_boost_round: int = Field(100, ge=1, le=100000, description="most trees")
    feature_fraction: float = Field(0.9, gt=0, le=1, description="share of the features that one tree may use")
    bagging_fraction: float = Field(0.8, gt=0, le=1, description="share of the rows that one tree learns from")
    early_stopping_rounds: int = Field(20, ge=1, description="trees without a better validation loss before it stops")


class MonitoringConfig(_Frozen):
    """When serving models count as worn out. A rule holds when N of the last M days break it, the newest included."""

    window_days: int = Field(7, ge=1, le=366, description="M: days that are looked at")
    violations: int = Field(3, ge=1, description="N: days of them that must break a rule")
    worse_than_baseline: float = Field(0.05, ge=0, description="excess of the ensemble's MAE over the baseline's")
    drift_days: int = Field(7, ge=1, le=366, description="days of features compared with the training data")
    psi_limit: float = Field(0.25, gt=0, description="population stability index from which a feature has drifted")
    drifted_share: float = Field(0.2, gt=0, le=1, description="share of drifted features from which the farm has")
    min_known: int = Field(60, ge=1, description="forecasts with a known actual value that a day needs to be judged")
    bad_data_share: float = Field(0.5, gt=0, le=1, description="share of rows without a usable target in a bad day")

    @model_validator(mode="after")
    def _enough_days(self) -> MonitoringConfig:
        if self.violations > self.window_days:
            raise ValueError(f"violations ({self.violations}) cannot exceed window_days ({self.window_days})")
        return self


class ModelNames(_Frozen):
    """Fixed names in MLflow."""

    lstm: str = Field("hydroponics_lstm_forecast", description="registered model of kind lstm")
    gru: str = Field("hydroponics_gru_forecast", description="registered model of kind gru")
    lightgbm: str = Field("hydroponics_lightgbm_classifier", description="registered model of kind lightgbm")


class TableNames(_Frozen):
    """What the farm calls its tables: `table`, `schema.table` or `catalog.schema.table`; what is left out is usual."""

    iot_data: str = Field(names.IOT_DATA, description="name of the readings of Gold")
    dim_time: str = Field(names.DIM_TIME, description="name of the calendar of Gold")
    dim_equipment: str = Field(names.DIM_EQUIPMENT, description="name of the actuators of Gold")
    sensor_features: str = Field(names.SENSOR_FEATURES, description="name of the feature table")
    batch_predictions: str = Field(names.BATCH_PREDICTIONS, description="name of the output of batch inference")

    @field_validator("*")
    @classmethod
    def _of_three_parts_at_most(cls, value: str) -> str:
        if not _TABLE_NAME.fullmatch(value):
            raise ValueError(
                f"'{value}' is not a table name; write table, schema.table or catalog.schema.table, each of letters, "
                "digits and underscores"
            )
        return value

    def full(self, name: str, catalog: str) -> str:
        """`gold.iot_data` -> what this farm calls that table, with its catalog and schema."""
        schema, _, table = name.rpartition(".")
        given: list[str] = getattr(self, table, name).split(".")
        return ".".join([*(catalog, schema)[: 3 - len(given)], *given])


class PinnedVersions(_Frozen):
    """Versions that score in place of champion or latest; None = not pinned."""

    lstm: str | None = Field(None, description="version of kind lstm that scores; None = the champion, else the latest")
    gru: str | None = Field(None, description="version of kind gru that scores; None = the champion, else the latest")
    lightgbm: str | None = Field(
        None, description="version of kind lightgbm that scores; None = the champion, else the latest"
    )


class ExperimentNames(_Frozen):
    lstm: str = Field("hydroponics_lstm", description="MLflow experiment of kind lstm")
    gru: str = Field("hydroponics_gru", description="MLflow experiment of kind gru")
    lightgbm: str = Field("hydroponics_lightgbm", description="MLflow experiment of kind lightgbm")


MLFLOW_OF_ENVIRONMENT = {"databricks": ("databricks", "databricks-uc")}
"""Tracking and registry where nothing else is set; other environments have a SQLite file under `home`."""


ROWS_OF_A_TASK = 60_480
"""Most grid rows of a feature task, but a day at least: a week of 10 seconds, which peaked at 475 MB (1 minute: 223 MB,
10 minutes: 200 MB, a day of 1 second: 881 MB). A function on Databricks' serverless compute has 1 GB.
"""


WHAT_IS_FORECAST = ("target_col", "targets", "lead_times", "labels", "forecast_horizon")
"""Settings that say what the farm asks of a version; one training may differ from them."""


WITH_SECRETS = frozenset({"mlflow_tracking_uri", "mlflow_registry_uri", "spark_remote", "step_launcher", "webhook_url"})
"""Settings whose value may carry a password or token: they go to no log, no artifact and no worker."""


class Settings(BaseSettings):
    """All settings. Every field can be set as `HYDRO_<NAME>` or in `$HYDRO_HOME/hydro.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="HYDRO_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
    )

    environment: Literal["local", "spark", "databricks"] = Field(
        "local", description="row of the environment table: embedded Sail, any Spark, or Databricks"
    )
    home: Path = Field(Path(".hydro"), description="folder of everything written locally")
    catalog: str = Field(
        "hydroponics", pattern=r"^[A-Za-z0-9_]+$", description="catalog of every table, the first part of its full name"
    )
    bucket: str = Field(
        "hydroponics-data",
        min_length=1,
        description="object-store bucket of the lakehouse's external locations; s3 unless written as abfss://... or so",
    )
    external_tables: bool = Field(
        False,
        description="whether a catalog keeps new tables at `s3://{bucket}/{schema}/{table}`; else it manages them",
    )
    tables: TableNames = Field(
        TableNames(),  # type: ignore[call-arg]
        description="what the farm calls its tables",
    )

    lakehouse_uri: str | None = Field(
        None,
        description="folder or object-store prefix of the Delta tables; None = `home`/lakehouse, and under "
        "environment `databricks` the tables are addressed by their Unity Catalog names",
    )

    timezone: str = Field("UTC", description="time zone in which Gold's naive timestamps are read")
    default_system: str = Field("system_1", description="system_id of readings that carry none")
    partitions_start: date | None = Field(None, description="first daily partition; None = first day of local Gold")
    feature_step: Duration = Field(timedelta(minutes=1), description="distance of two rows of sensor_features")
    max_gap: Duration = Field(
        timedelta(minutes=5), description="readings further apart than this start a new segment; at least two steps"
    )
    min_window_coverage: float = Field(
        0.5, gt=0, le=1, description="share of a window's steps that must carry a value, else its statistics are null"
    )
    days_per_task: int = Field(7, ge=1, le=366, description="most days of one system in one Spark task: bounds memory")
    crop: CropProfile = CropProfile()  # type: ignore[call-arg]

    target_col: str = Field("ph_level", description="primary target: the sensor column of batch_predictions")
    targets: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_words)] = Field(
        None,
        description="sensor columns that one version forecasts; None = each required quantity that the farm measures "
        "(pH, TDS or EC, air temperature, humidity), with at least minimum_records known rows",
    )
    lead_times: Durations = Field(
        (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6)),
        description="forecast beside the steps 1 .. forecast_horizon; those that are multiples of feature_step count",
    )
    labels: Words = Field(
        ("is_env_optimal",),
        description="states whose probability LightGBM forecasts: is_env_optimal, an is_*_optimal flag, an is_*_on",
    )
    sequence_length: int = Field(24, ge=2, le=4096, description="steps of history a recurrent model sees")
    forecast_horizon: int = Field(1, ge=1, le=1440, description="steps ahead in batch_predictions: 1 .. this")
    minimum_records: int = Field(1000, ge=1, description="known rows of a target that training needs")
    seed: int = Field(20240101, description="of every random draw: the same data and seed give the same models")
    recurrent: RecurrentConfig = RecurrentConfig()  # type: ignore[call-arg]
    lightgbm: LightGBMConfig = LightGBMConfig()  # type: ignore[call-arg]
    monitoring: MonitoringConfig = MonitoringConfig()  # type: ignore[call-arg]
    champion_days: int = Field(
        28,
        ge=1,
        description="days after which a champion gives way to a challenger that is no worse; before, only to one that "
        "is surely better (95 % interval of the difference)",
    )
    train_share: float = Field(0.7, gt=0, lt=1, description="share of the time, from its start, that models learn from")
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of the time after it that chooses; the rest is the holdout"
    )
    longest_holdout: Duration = Field(
        timedelta(days=14), description="validation and holdout are no longer: a long history is learned up to its end"
    )

    models: ModelNames = ModelNames()  # type: ignore[call-arg]
    experiments: ExperimentNames = ExperimentNames()  # type: ignore[call-arg]
    pinned_versions: PinnedVersions = PinnedVersions()  # type: ignore[call-arg]
    mlflow_tracking_uri: str | None = Field(None, description="None = SQLite file under home; on Databricks its own")
    mlflow_registry_uri: str | None = Field(None, description="None = same as tracking; `databricks-uc` on Databricks")

    spark_remote: str | None = Field(None, description="Spark Connect endpoint, for environment `spark`")
    delta_jars: str | None = Field(None, description="comma-separated Delta jars for a JVM without Maven")
    sql_warehouse_id: str | None = Field(
        None, description="SQL warehouse through which sensors read Gold's history on Databricks"
    )
    step_launcher: dict[str, Any] = Field(
        {}, description="how heavy steps are launched on Databricks: the fields of databricks/step_launcher/config.py"
    )
    webhook_url: SecretStr | None = Field(None, description="alerts are posted here as JSON when set")

    @field_validator("webhook_url")
    @classmethod
    def _usable_address(cls, value: SecretStr | None) -> SecretStr | None:
        address = urlsplit(value.get_secret_value() if value is not None else "")
        if not address.geturl():
            return None  # `HYDRO_WEBHOOK_URL=` switches the webhook off
        if address.scheme not in ("http", "https") or not address.hostname or "@" in address.netloc:
            raise ValueError(
                "needs an address such as https://host/path, without user and password (put a token into the path)"
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: a folder of zones, such as Europe
            raise ValueError(f"'{value}' is not an IANA time zone; write for example UTC or Europe/Amsterdam") from exc
        return value

    @field_validator("target_col")
    @classmethod
    def _known_sensor(cls, value: str) -> str:
        if value not in SENSOR:
            raise ValueError(f"'{value}' is not a sensor column; choose one of {', '.join(SENSOR)}")
        return value

    @field_validator("targets")
    @classmethod
    def _known_sensors(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None:
            unknown = [t for t in value if t not in SENSOR]
            if unknown or not value:
                named = ", ".join(unknown) or "no name"
                raise ValueError(f"{named} is not a sensor column; choose among {', '.join(SENSOR)}")
        return value if value is None else tuple(dict.fromkeys(value))

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("is_env_optimal", *OPTIMAL_FLAGS, *ACTUATOR_COLUMNS)
        if unknown := [name for name in value if name not in known]:
            raise ValueError(f"{', '.join(unknown)} is not a label; choose among {', '.join(known)}")
        return tuple(dict.fromkeys(value))

    @field_validator("lead_times")
    @classmethod
    def _ahead(cls, value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if bad := [str(t) for t in value if not timedelta(0) < t <= timedelta(days=1)]:
            raise ValueError(f"lead time {', '.join(bad)} must lie between 0 and 24 h, for example 15min, 1h, 6h")
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _primary_is_a_target(self) -> Settings:
        if self.targets is not None and self.target_col not in self.targets:
            raise ValueError(f"target_col {self.target_col} must be among targets ({', '.join(self.targets)})")
        return self

    @model_validator(mode="after")
    def _tables_apart(self) -> Settings:
        called: dict[str, list[str]] = {}
        for name in names.ALL:
            called.setdefault(self.table(name).lower(), []).append(name)
        if shared := [f"{' and '.join(of)} would both be {full}" for full, of in called.items() if len(of) > 1]:
            raise ValueError(f"{'; '.join(shared)}: give each table a name of its own")
        return self

    @field_validator("feature_step")
    @classmethod
    def _divides_a_day(cls, value: timedelta) -> timedelta:
        day = timedelta(days=1)
        if value < timedelta(seconds=1) or value > timedelta(hours=6) or day % value != timedelta(0):
            raise ValueError(f"{value} must lie between 1s and 6h and divide a day, for example 10s, 1min, 5min, 1h")
        return value

    @model_validator(mode="after")
    def _shares(self) -> Settings:
        if self.train_share + self.validation_share >= 1:
            raise ValueError("train_share + validation_share must leave room for a holdout: keep the sum below 1")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = Path(init_settings().get("home") or os.environ.get("HYDRO_HOME") or ".hydro")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, home / "hydro.toml")

    @property
    def horizons(self) -> tuple[int, ...]:
        """Steps that are forecast: 1 .. forecast_horizon and the lead times that the grid can tell."""
        step = self.feature_step
        leads = {lead // step for lead in self.lead_times if lead >= step and lead % step == timedelta(0)}
        return tuple(sorted({*range(1, self.forecast_horizon + 1), *leads}))

    @property
    def gap_limit(self) -> timedelta:
        """Longest distance of two readings inside one segment: `max_gap`, but never under two steps."""
        return max(self.max_gap, 2 * self.feature_step)

    @property
    def task_days(self) -> int:
        """Days of one system in one Spark task: `days_per_task`, fewer where the grid is fine."""
        return max(1, min(self.days_per_task, ROWS_OF_A_TASK // (timedelta(days=1) // self.feature_step)))

    @property
    def root(self) -> Path:
        """`home` as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def table_root(self) -> str | None:
        """Where Delta tables lie by path; None when a catalog knows their place."""
        if self.lakehouse_uri is None and self.environment == "databricks":
            return None
        return self.lakehouse_uri or str(self.root / "lakehouse")

    @property
    def has_local_mlflow(self) -> bool:
        """Whether MLflow's store is the SQLite file under `home`."""
        return self.mlflow_tracking_uri is None and self.environment not in MLFLOW_OF_ENVIRONMENT

    @property
    def tracking_uri(self) -> str:
        if self.has_local_mlflow:
            # Three trainings write at once; SQLite's own 5 seconds of waiting for a lock are short on a busy machine.
            return f"sqlite:///{self.root / 'mlflow' / 'mlflow.db'}?timeout=60"
        return _without_login(self.mlflow_tracking_uri or MLFLOW_OF_ENVIRONMENT[self.environment][0])

    @property
    def mlflow_login(self) -> tuple[str, str] | None:
        """User and password of the tracking server, where its address carries them."""
        parts = urlsplit(self.mlflow_tracking_uri or "")
        if parts.scheme not in ("http", "https") or parts.username is None:
            return None
        return unquote(parts.username), unquote(parts.password or "")

    @property
    def registry_uri(self) -> str:
        if self.mlflow_registry_uri is None and self.mlflow_tracking_uri is None and not self.has_local_mlflow:
            return MLFLOW_OF_ENVIRONMENT[self.environment][1]
        return _without_login(self.mlflow_registry_uri or self.tracking_uri)

    def without_secrets(self) -> Settings:
        """These settings as they may travel to a worker."""
        return self.model_copy(update={name: type(self).model_fields[name].default for name in WITH_SECRETS})

    def table(self, name: str) -> str:
        """Full name of a table as this farm calls it, `gold.iot_data` -> `hydroponics.gold.iot_data`."""
        return self.tables.full(name, self.catalog)

    @property
    def bucket_uri(self) -> str | None:
        """Prefix of what lies in the bucket; None where the bucket has no part."""
        if self.table_root is not None or not self.external_tables:
            return None
        return self.bucket.rstrip("/") if "://" in self.bucket else f"s3://{self.bucket}"

    def table_location(self, name: str) -> str | None:
        """Where a catalog keeps a table that it does not manage, `s3://{bucket}/{schema}/{table}`; None = it does."""
        return self.bucket_uri and "/".join([self.bucket_uri, *self.table(name).split(".")[1:]])


_NOT_SETTINGS = frozenset({"HYDRO_STEP_CODE", "HYDRO_GIT_COMMIT", "HYDRO_DATABRICKS_TEST", "HYDRO_IN_LAUNCHED_STEP"})
"""Variables with the prefix that are read elsewhere."""


def load_settings(**overrides: Any) -> Settings:
    """Settings from arguments, environment and file; every problem in one readable error."""
    remedy = "Correct the option, the HYDRO_* variable (nested names with __) or hydro.toml in HYDRO_HOME"
    if unknown := _unknown_variables():
        raise SettingsError.of_all(unknown, "Correct the name, or unset it")
    try:
        found = Settings(**overrides)
        _require_usable(found)
        return found
    except ValidationError as exc:
        raise SettingsError.of_all([_told(e) for e in exc.errors()], remedy) from None  # the cause shows the values
    except BadValue as exc:  # pydantic-settings could not read a variable as the JSON that its field needs
        raise SettingsError(f"{exc}; a group of settings is written as JSON or as HYDRO_GROUP__NAME", remedy) from None
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"hydro.toml in HYDRO_HOME is no TOML: {exc}", "Mend the file, or remove it") from None
    except (OSError, UnicodeError, ValueError, OverflowError, RuntimeError) as exc:
        kind = type(exc).__name__
        raise SettingsError(f"HYDRO_HOME or hydro.toml in it cannot be used ({kind}: {exc})", remedy) from None


# What delta-rs, polars, pyarrow, SQLite and Sail all read as it stands: they take other characters for parts of an URL.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+=@,~-]*")


def _require_usable(settings: Settings) -> None:
    """Raise SettingsError for a home that cannot hold a farm, before anything is written."""
    problems = [
        f"{name} {path} has characters ({' '.join(sorted(set(_PLAIN_PATH.sub('', path))))}) that not every library of "
        "ours can read in a path"
        for name, path in (("HYDRO_HOME", str(settings.root)), ("HYDRO_LAKEHOUSE_URI", settings.lakehouse_uri or ""))
        if "://" not in path and not _PLAIN_PATH.fullmatch(path)
    ]
    if problems:
        raise SettingsError.of_all(problems, "Set it to a folder of plain letters, digits, dots and dashes")
    toml = settings.root / "hydro.toml"
    if toml.exists() and not toml.is_file():
        raise SettingsError(f"{toml} is not a file", "Remove it, or set HYDRO_HOME to another folder")


def _told(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] != "extra_forbidden":
        return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    meant = _meant_setting(place)
    return f"{place} is no setting" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


def setting_names(model: type[BaseModel] = Settings, group: str = "") -> Iterator[str]:
    """Every setting, groups with dots: `seed`, `recurrent.epochs`, `crop.ph_level.low`."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{group}{name}.")
        else:
            yield group + name


def _meant_setting(place: str) -> list[str]:
    """`epochs` -> `recurrent.epochs`: that name in any group, else spelt nearly so, else with such a last part."""
    known = list(setting_names())
    last = place.rpartition(".")[2]
    if same := [k for k in known if k.rpartition(".")[2] == last]:
        return same
    groups = {k.partition(".")[0] for k in known if "." in k}
    if near := difflib.get_close_matches(place, [*known, *groups], 3, 0.75):
        return near
    parts = difflib.get_close_matches(last, {k.rpartition(".")[2] for k in known}, 1, 0.75)
    return [k for k in known if k.rpartition(".")[2] in parts]


def _unknown_variables() -> list[str]:
    """Variables with our prefix whose first name is no setting: a typing error would be silently without effect."""
    known = [f"HYDRO_{name.upper()}" for name in Settings.model_fields]
    unknown = [
        name
        for name in sorted(os.environ)
        if name.startswith("HYDRO_") and name not in _NOT_SETTINGS and name.split("__")[0] not in known
    ]
    return [f"{name} is no setting{_meant(name.split('__')[0], known)}" for name in unknown]


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _without_login(uri: str) -> str:
    """An http address without user and password: MLflow is given those apart, so that no message can show them."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def remember(home: Path, **values: Any) -> Path:
    """Keep settings in `hydro.toml` under `home`, so that the command line and the UI agree. Other lines stay."""
    import tomlkit

    path = home / "hydro.toml"
    document = tomlkit.parse(path.read_text()) if path.exists() else tomlkit.document()
    document.update(values)
    home.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(document))
    return path
