"""Every choice a farm can make, in one frozen object.

Sources, strongest first: arguments, `HYDRO_*` environment variables (nested with `__`, for example
`HYDRO_RECURRENT__EPOCHS=20`), then `hydro.toml` in `HYDRO_HOME`. Nothing else overrides a setting.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    Field,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hydro_assets.durations import Duration
from hydro_assets.setting_groups import (
    CropProfile,
    ExperimentNames,
    LightGBMConfig,
    ModelNames,
    MonitoringConfig,
    PinnedVersions,
    RecurrentConfig,
    TableNames,
)
from hydro_assets.setting_types import (
    GridStep,
    Labels,
    LeadTimes,
    SensorColumn,
    SensorColumns,
    TimeZone,
    WebhookAddress,
)
from hydro_assets.tables import names

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

    timezone: TimeZone = Field("UTC", description="time zone in which Gold's naive timestamps are read")
    default_system: str = Field("system_1", description="system_id of readings that carry none")
    partitions_start: date | None = Field(None, description="first daily partition; None = first day of local Gold")
    feature_step: GridStep = Field(timedelta(minutes=1), description="distance of two rows of sensor_features")
    max_gap: Duration = Field(
        timedelta(minutes=5), description="readings further apart than this start a new segment; at least two steps"
    )
    min_window_coverage: float = Field(
        0.5, gt=0, le=1, description="share of a window's steps that must carry a value, else its statistics are null"
    )
    days_per_task: int = Field(7, ge=1, le=366, description="most days of one system in one Spark task: bounds memory")
    crop: CropProfile = CropProfile()  # type: ignore[call-arg]

    target_col: SensorColumn = Field("ph_level", description="primary target: the sensor column of batch_predictions")
    targets: SensorColumns = Field(
        None,
        description="sensor columns that one version forecasts; None = each required quantity that the farm measures "
        "(pH, TDS or EC, air temperature, humidity), with at least minimum_records known rows",
    )
    lead_times: LeadTimes = Field(
        (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6)),
        description="forecast beside the steps 1 .. forecast_horizon; those that are multiples of feature_step count",
    )
    labels: Labels = Field(
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
    webhook_url: WebhookAddress = Field(None, description="alerts are posted here as JSON when set")

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
        """Where Delta tables lie: a folder by its name or the prefix of an object store; None when a catalog knows."""
        if self.lakehouse_uri is None and self.environment == "databricks":
            return None
        if self.lakehouse_uri is None:
            return str(self.root / "lakehouse")
        address = urlsplit(self.lakehouse_uri)
        return unquote(address.path) if address.scheme == "file" else self.lakehouse_uri

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


def _without_login(uri: str) -> str:
    """An http address without user and password: MLflow is given those apart, so that no message can show them."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
