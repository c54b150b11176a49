"""Feature rows and models small enough to check by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.settings import Settings

DAY = datetime(2024, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def feature_rows(
    minutes: list[int], ph: list[float | None] | None = None, system: str = "a", start: datetime = DAY
) -> pl.DataFrame:
    """One row per minute after `start`, with pH and TDS."""
    ph = ph if ph is not None else [6.0 + 0.001 * (m % 700) for m in minutes]
    return pl.DataFrame(
        {
            "system_id": [system] * len(minutes),
            "timestamp": [start + m * MINUTE for m in minutes],
            "ph_level": ph,
            "tds_level": [900.0 + m % 13 for m in minutes],
        },
        schema={
            "system_id": pl.String,
            "timestamp": pl.Datetime("us", "UTC"),
            "ph_level": pl.Float64,
            "tds_level": pl.Float64,
        },
    ).with_columns(date=pl.col("timestamp").dt.date())


def small_settings(**overrides: Any) -> Settings:
    return Settings(**{"sequence_length": 5, "forecast_horizon": 2, **overrides})


@dataclass(frozen=True)
class WindowMean:
    """Forecasts `offset` + h/100 above the mean of its window: `length` steps that must all be there."""

    offset: float = 0.0
    length: int = 5
    horizons: tuple[int, ...] = (1, 2)
    target_col: str = "ph_level"
    step_seconds: int = 60
    features: list[str] = field(default_factory=lambda: ["ph_level", "tds_level"])
    has_probability: bool = False

    @property
    def info(self) -> Any:
        return SimpleNamespace(
            target_col=self.target_col,
            step_seconds=self.step_seconds,
            horizons=self.horizons,
            features=self.features,
            lookback=(self.length - 1) * MINUTE,
        )

    def save(self, folder: Path) -> None:
        folder.joinpath("package.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> WindowMean:
        state = json.loads(folder.joinpath("package.json").read_text())
        return cls(**{**state, "horizons": tuple(state["horizons"])})

    def predict(self, frame: pl.DataFrame, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        rows: list[dict[str, Any]] = []
        for (system,), group in frame.group_by(["system_id"], maintain_order=True):
            values = dict(zip(group["timestamp"], group["ph_level"], strict=True))
            for at in values:
                if (start and at < start) or (end and at >= end):
                    continue
                window = [values.get(at - k * MINUTE) for k in range(self.length)]
                known = [v for v in window if v is not None]
                full = len(known) == self.length
                for h in self.horizons:
                    guess = float(np.mean(known)) + self.offset + h / 100 if full else None
                    rows.append(
                        {
                            "system_id": system,
                            "timestamp": at,
                            "horizon": h,
                            "prediction": guess,
                            "baseline": values[at],
                            "lower_80": guess and guess - 0.1,
                            "upper_80": guess and guess + 0.1,
                            "lower_95": guess and guess - 0.2,
                            "upper_95": guess and guess + 0.2,
                            "optimal_probability": 0.75 if self.has_probability else None,
                            "quality": "ok" if full else "unknown_target" if values[at] is None else "no_window",
                        }
                    )
        return pl.DataFrame(rows, schema=OUTPUT)


OUTPUT = {
    "system_id": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "horizon": pl.Int32,
    "prediction": pl.Float64,
    "baseline": pl.Float64,
    "lower_80": pl.Float64,
    "upper_80": pl.Float64,
    "lower_95": pl.Float64,
    "upper_95": pl.Float64,
    "optimal_probability": pl.Float64,
    "quality": pl.String,
}
