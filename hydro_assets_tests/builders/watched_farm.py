"""A farm's Delta tables without Spark, for tests of sensors: Gold rows per day, and feature commits with their note."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from hydro_assets.features.spec import made_with
from hydro_assets.settings import Settings

FIRST = date(2026, 1, 1)


def day(n: int) -> date:
    return FIRST + timedelta(days=n - 1)


@dataclass(frozen=True)
class WatchedFarm:
    settings: Settings

    def uri(self, name: str) -> str:
        return "/".join([str(self.settings.table_root), self.settings.catalog, *name.split(".")])

    @property
    def gold(self) -> DeltaTable:
        return DeltaTable(self.uri("gold.iot_data"))

    def land(self, *days: int, system: str = "a") -> None:
        """New readings of days 1, 2, ..., in one commit."""
        self._write("gold.iot_data", self._gold_rows(days, system), "append")

    def rewrite(self, *days: int) -> None:
        """The same days again, replaced in one commit."""
        listed = ", ".join(f"'{day(n)}'" for n in days)
        self._write("gold.iot_data", self._gold_rows(days, "a"), "overwrite", f"date in ({listed})")

    def drop_gold(self) -> None:
        shutil.rmtree(self.uri("gold.iot_data"))

    def build(self, *blocks: tuple[int, int]) -> None:
        """What the feature job commits for blocks of days `(first, last)`, from Gold as it is now."""
        for first, last in blocks:
            source = {"gold_version": self.gold.version(), "gold_table_id": str(self.gold.metadata().id)}
            span = {"start_day": str(day(first)), "end_day": str(day(last + 1))}
            name = "feature_store.sensor_features"
            days = [day(n) for n in range(first, last + 1)]
            rows = pl.DataFrame({"system_id": ["a"] * len(days), "date": days})
            mode = "overwrite" if Path(self.uri(name)).exists() else "append"
            where = f"date >= '{days[0]}' and date <= '{days[-1]}'" if mode == "overwrite" else None
            self._write(name, rows, mode, where, json.dumps(source | span | {"settings": made_with(self.settings)}))

    def _gold_rows(self, days: Iterable[int], system: str) -> pl.DataFrame:
        stamps = [datetime.combine(day(n), time(12)) for n in days]
        return pl.DataFrame(
            {
                "timestamp_key": pl.Series(stamps).dt.replace_time_zone("UTC"),
                "system_id": [system] * len(stamps),
                "ph_level": [6.0] * len(stamps),
                "date": [s.date() for s in stamps],
            }
        )

    def _write(self, name: str, rows: pl.DataFrame, mode: str, where: str | None = None, note: str = "") -> None:
        Path(self.uri(name)).parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self.uri(name),
            rows.to_arrow(),
            mode=mode,  # type: ignore[arg-type]
            predicate=where,
            partition_by=["date"],
            commit_properties=CommitProperties(custom_metadata={"userMetadata": note}),
        )
