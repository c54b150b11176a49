"""Which feature days are not what Gold and the settings of now would make them.

The Gold version that a day needs stands against the one it has, its settings against those of now.

Nothing here remembers that work was asked for. Evidence that a day was built is the note in the commit that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hydro_assets.features.spec import look_back
from hydro_assets.lakehouse.delta_log import LogReading
from hydro_assets.lakehouse.tables import TableVersion
from hydro_assets.settings import Settings

NEVER = TableVersion("", -1)


@dataclass(frozen=True)
class ChangedDays:
    """Of Gold (or another table) at `table`: the version in which each day last changed, and the days with rows."""

    table: TableVersion = NEVER
    changed: Mapping[date, int] = field(default_factory=dict)
    with_rows: frozenset[date] = frozenset()

    def advance(self, reading: LogReading) -> ChangedDays:
        """What is known after reading the log from here on. What the log no longer tells counts as changed."""
        same = self.table.table_id == reading.table.table_id
        changed = dict(self.changed) if same else {}
        with_rows = self.with_rows if reading.days is None else reading.days
        if reading.after > (self.table.version if same else -1):
            changed = dict.fromkeys({*changed, *with_rows}, reading.after)
        for commit in reading.commits:
            days = commit.days if commit.days is not None else {*changed, *with_rows}
            changed |= dict.fromkeys(days, commit.version)
        return ChangedDays(reading.table, changed, with_rows)


@dataclass(frozen=True)
class Built:
    """What one feature day was made from: the Gold, and the settings as `features.spec.made_with` writes them."""

    gold: TableVersion = NEVER
    settings: str = ""


@dataclass(frozen=True)
class BuiltDays:
    """`sensor_features` at `table`: what each day was built from."""

    table: TableVersion = NEVER
    days: Mapping[date, Built] = field(default_factory=dict)

    def advance(self, reading: LogReading | None) -> BuiltDays:
        """What is known after reading the log from here on; nothing when the table is gone or another."""
        if reading is None:
            return BuiltDays()
        known = dict(self.days) if self.table.table_id == reading.table.table_id else {}
        for commit in reading.commits:
            if {"gold_table_id", "gold_version", "start_day", "end_day"} <= commit.note.keys():
                gold = TableVersion(str(commit.note["gold_table_id"]), int(commit.note["gold_version"]))
                source = Built(gold, str(commit.note.get("settings", "")))
                start, end = (date.fromisoformat(str(commit.note[k])) for k in ("start_day", "end_day"))
                known |= {start + timedelta(days=i): source for i in range((end - start).days)}
            else:  # written by another hand: nobody knows from what
                for day in commit.days if commit.days is not None else list(known):
                    known.pop(day, None)
        return BuiltDays(reading.table, known)


@dataclass(frozen=True)
class Reach:
    """Which wall-clock Gold days a UTC feature day is made of."""

    timezone: str
    step: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Reach:
        return cls(settings.timezone, settings.feature_step)

    def own_days(self, day: date) -> list[date]:
        """Gold days with readings that fall into the feature day itself."""
        return self._wall_days(timedelta(0), day)

    def needed_days(self, day: date) -> list[date]:
        """Gold days with readings that any row of the feature day uses."""
        return self._wall_days(look_back(self.step), day)

    def _wall_days(self, back: timedelta, day: date) -> list[date]:
        zone = ZoneInfo(self.timezone)
        midnight = datetime.combine(day, time(), UTC)
        first = (midnight - back).astimezone(zone).date()
        last = (midnight + timedelta(days=1, microseconds=-1)).astimezone(zone).date()
        return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def stale_days(gold: ChangedDays, built: BuiltDays, reach: Reach, settings: str) -> dict[date, int]:
    """Feature days to build, in order, with the Gold version that each needs.

    A day whose look-back alone changed is stale only when Gold has readings of the day itself, or it was built before.
    A day that was built with other settings than `settings` is stale wherever Gold stands.
    """
    margin = look_back(reach.step) // timedelta(days=1) + 2
    near = {g + timedelta(days=i) for g in gold.changed for i in range(-1, margin + 1)}
    stale = {}
    for day in sorted(near | built.days.keys()):
        have = built.days.get(day)
        if have is None and gold.with_rows.isdisjoint(reach.own_days(day)):
            continue
        need = max((gold.changed[g] for g in reach.needed_days(day) if g in gold.changed), default=None)
        if have is not None and have.settings != settings:
            stale[day] = gold.table.version if need is None else need
        elif need is not None and (
            have is None or have.gold.table_id != gold.table.table_id or have.gold.version < need
        ):
            stale[day] = need
    return stale
