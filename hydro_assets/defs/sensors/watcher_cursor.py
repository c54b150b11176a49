"""The watcher's cursor: what its last look at the two logs told. Only for speed; without it the logs are read whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from hydro_assets.features.staleness import Built, BuiltDays, ChangedDays
from hydro_assets.lakehouse.tables import TableVersion

FORMAT = 2
FIRST_PAUSE, LONGEST_PAUSE = 120.0, 1800.0  # seconds


@dataclass(frozen=True)
class WatcherCursor:
    gold: ChangedDays = field(default_factory=ChangedDays)
    built: BuiltDays = field(default_factory=BuiltDays)
    quiet: int = 0  # looks in a row that found nothing to do
    looked_at: float = 0.0  # Unix seconds

    @property
    def next_look(self) -> float:
        """Through a SQL warehouse each look in vain doubles the pause: looks every minute would never let it sleep."""
        return self.looked_at + (min(FIRST_PAUSE * 2.0 ** (self.quiet - 1), LONGEST_PAUSE) if self.quiet else 0.0)

    def looked(self, at: float, in_vain: bool) -> "WatcherCursor":
        return replace(self, quiet=self.quiet + 1 if in_vain else 0, looked_at=at)

    def to_json(self) -> str:
        return json.dumps(
            {
                "format": FORMAT,
                "quiet": self.quiet,
                "looked_at": self.looked_at,
                "gold": {
                    "table": _version(self.gold.table),
                    "changed": _days(self.gold.changed),
                    "with_rows": sorted(d.isoformat() for d in self.gold.with_rows),
                },
                "built": {
                    "table": _version(self.built.table),
                    "days": _days({d: json.dumps([*_version(b.gold), b.settings]) for d, b in self.built.days.items()}),
                },
            }
        )

    @classmethod
    def from_json(cls, text: str | None) -> "WatcherCursor":
        """The cursor; an empty one when there is none, or one of another format."""
        try:
            data = json.loads(text or "{}")
        except json.JSONDecodeError:  # typed into the UI's cursor box by hand
            return cls()
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            return cls()
        gold, built = data["gold"], data["built"]
        return cls(
            ChangedDays(
                TableVersion(*gold["table"]),
                {d: int(v) for d, v in _by_day(gold["changed"]).items()},
                frozenset(map(date.fromisoformat, gold["with_rows"])),
            ),
            BuiltDays(TableVersion(*built["table"]), {d: _source(v) for d, v in _by_day(built["days"]).items()}),
            int(data.get("quiet", 0)),
            float(data.get("looked_at", 0.0)),
        )


def _version(version: TableVersion) -> list[Any]:
    return [version.table_id, version.version]


def _days(by_day: Mapping[date, Any]) -> dict[str, list[str]]:
    """Grouped by value, as many days share one commit."""
    grouped: dict[str, list[str]] = {}
    for day, value in sorted(by_day.items()):
        grouped.setdefault(str(value), []).append(day.isoformat())
    return grouped


def _by_day(grouped: Mapping[str, list[str]]) -> dict[date, str]:
    return {date.fromisoformat(day): value for value, days in grouped.items() for day in days}


def _source(text: str) -> Built:
    table_id, version, settings = json.loads(text)
    return Built(TableVersion(table_id, version), settings)
