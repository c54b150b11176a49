"""One commit of a table: written again after a conflict with another writer, with a note of what it was made from."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from deltalake.exceptions import CommitFailedError

from hydro_assets.lakehouse.tables import TableVersion

_CONFLICTS = (
    "Failed to commit transaction",
    "Missing commit file",
    "ConcurrentAppend",
    "ConcurrentDelete",
    "ConcurrentModification",
    "MetadataChangedException",
)
_TRIES = 8


@dataclass(frozen=True)
class WriteReceipt:
    """What a write did. `rows_by_day` counts the rows now in each replaced day."""

    table: str
    uri: str
    version: TableVersion
    rows_by_day: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(self.rows_by_day.values())


def commit(write: Callable[[], object]) -> None:
    """Run an idempotent write; on a conflict with another writer, again. The jitter keeps writers apart."""
    for attempt in range(_TRIES):
        try:
            write()
        except Exception as exc:
            conflicts = isinstance(exc, CommitFailedError) or any(text in str(exc) for text in _CONFLICTS)
            if attempt + 1 == _TRIES or not conflicts:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        else:
            return


def span_note(start_day: date, end_day: date) -> dict[str, date]:
    """For the note of a commit: the days `[start_day, end_day)` that it settles, also those without a row."""
    return {"start_day": start_day, "end_day": end_day}


def note(facts: Mapping[str, Any] | None) -> str:
    """`facts` as the text that a commit carries."""
    return json.dumps(dict(facts or {}), default=str, sort_keys=True)
