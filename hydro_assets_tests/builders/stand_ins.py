"""Feature rows and models small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from hydro_assets.forecasting.package import PREDICTION_SCHEMA, PROBABILITY_SCHEMA, SharedRows
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
    return Settings(**{"sequence_length": 5, "forecast_horizon": 2, "lead_times": (), **overrides})


@dataclass(frozen=True)
class WindowMean:
    """Forecasts `offset` + h/100 above the mean of its window: `length` steps that must all be there."""

    offset: float = 0.0
    length: int = 5
    horizons: tuple[int, ...] = (1, 2)
    targets: tuple[str, ...] = ("ph_level",)
    step_seconds: int = 60
    features: tuple[str, ...] = ("ph_level", "tds_level")
    labels: tuple[str, ...] = ()
    label_quality: str = "ok"
    learned_until: str | None = None

    @property
    def info(self) -> Any:
        until = None if self.learned_until is None else datetime.fromisoformat(self.learned_until)
        return SimpleNamespace(
            kind="lstm",
            primary=self.targets[0],
            target_names=self.targets,
            labels=self.labels,
            step_seconds=self.step_seconds,
            step=timedelta(seconds=self.step_seconds),
            gap_limit=5 * MINUTE,
            horizons=self.horizons,
            features=self.features,
            lookback=(self.length - 1) * MINUTE,
            task=SimpleNamespace(padding=0),
            train_start=DAY - timedelta(days=30),
            learned_until=until,
            leaving=(),
            params={},
        )

    def save(self, folder: Path) -> None:
        folder.joinpath("package.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> WindowMean:
        state = json.loads(folder.joinpath("package.json").read_text())
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in state.items()})

    def predict(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        rows: list[dict[str, Any]] = []
        for key, values, at, target in self._origins(frame, start, end):
            window = [values.get(at - k * MINUTE) for k in range(self.length)]
            known = [v for v in window if v is not None]
            full = len(known) == self.length
            for h in self.horizons:
                guess = float(np.mean(known)) + self.offset + h / 100 if full else None
                rows.append(
                    {
                        **key,
                        "target": target,
                        "horizon": h,
                        "prediction": guess,
                        "baseline": values[at],
                        "lower_80": guess and guess - 0.1,
                        "upper_80": guess and guess + 0.1,
                        "lower_95": guess and guess - 0.2,
                        "upper_95": guess and guess + 0.2,
                        "quality": "ok" if full else "unknown_target" if values[at] is None else "no_window",
                    }
                )
        return pl.DataFrame(rows, schema=PREDICTION_SCHEMA)

    def probabilities(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        rows = [
            {**key, "label": label, "horizon": h, "probability": 0.75, "quality": self.label_quality}
            for key, _, _, target in self._origins(frame, start, end)
            if target == self.targets[0]
            for label in self.labels
            for h in self.horizons
        ]
        return pl.DataFrame(rows, schema=PROBABILITY_SCHEMA)

    def baselines(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """Persistence, a short mean 0.5 above it, and no yesterday."""
        rows = []
        for key, values, at, target in self._origins(frame, start, end):
            now = values[at]
            for h in self.horizons:
                said = {"persistence": now, "short_mean": now and now + 0.5, "same_time_yesterday": None}
                rows.append({**key, "target": target, "horizon": h, **said, "actual": values.get(at + h * MINUTE)})
        names = ("persistence", "short_mean", "same_time_yesterday", "actual")
        keys = {name: PREDICTION_SCHEMA[name] for name in ("system_id", "timestamp", "target", "horizon")}
        return pl.DataFrame(rows, schema={**keys, **dict.fromkeys(names, pl.Float64)})

    def _origins(
        self, frame: pl.DataFrame | SharedRows, start: datetime | None, end: datetime | None
    ) -> Iterator[tuple[dict[str, Any], dict[datetime, float | None], datetime, str]]:
        """Keys of a row, all values of the target by time, its time, and the target."""
        frame = frame.frame if isinstance(frame, SharedRows) else frame
        for (system,), group in frame.group_by(["system_id"], maintain_order=True):
            absent = [None] * group.height
            known = {
                target: dict(zip(group["timestamp"], group[target] if target in group.columns else absent, strict=True))
                for target in self.targets
            }
            for at in group["timestamp"]:
                if (start and at < start) or (end and at >= end):
                    continue
                for target, values in known.items():
                    yield {"system_id": system, "timestamp": at}, values, at, target
