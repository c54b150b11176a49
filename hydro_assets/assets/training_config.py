"""What the launchpad may override for one training. Checked by the same bounds as the settings, before any compute."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from hydro_assets.settings import Settings, load_settings


class TrainingConfig(dg.Config):
    """Empty fields keep the value of the settings (HYDRO_* variables, hydro.toml, defaults)."""

    target_col: str | None = Field(None, description="sensor column to forecast, for example ph_level, tds_level")
    sequence_length: int | None = Field(None, description="steps of history, 2 .. 4096")
    forecast_horizon: int | None = Field(None, description="steps ahead, 1 .. 1440; H outputs in one pass")
    seed: int | None = None
    recurrent: dict[str, Any] = Field(
        {},
        description="LSTM and GRU: hidden_size, num_layers, dropout, learning_rate, batch_size, epochs, patience, "
        "max_windows_per_epoch, predict_change",
    )
    lightgbm: dict[str, Any] = Field(
        {},
        description="task_type (classification, regression, both), num_leaves, learning_rate, num_boost_round, "
        "feature_fraction, bagging_fraction, early_stopping_rounds, predict_change",
    )

    def applied_to(self, settings: Settings) -> Settings:
        """`settings` with these overrides; raises SettingsError that names every value out of bounds."""
        values = settings.model_dump(exclude={"webhook_url"}) | {"webhook_url": settings.webhook_url}
        plain = {k: v for k, v in self.model_dump(exclude={"recurrent", "lightgbm"}).items() if v is not None}
        nested = {k: values[k] | getattr(self, k) for k in ("recurrent", "lightgbm")}
        return load_settings(**(values | plain | nested))
