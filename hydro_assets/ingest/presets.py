"""Exports of well-known loggers and dashboards, known by their headers."""

from __future__ import annotations

from collections.abc import Sequence

from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.table import TextTable

# (name, headers that must all be there, headers that must not, what they mean)
_PRESETS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], Profile], ...] = (
    ("InfluxDB", ("_time", "_field", "_value"), (), Profile(long="_field,_value,_time")),
    ("InfluxDB", ("_time",), ("_field",), Profile(time="_time")),
    ("Home Assistant", ("entity_id", "state", "last_changed"), (), Profile(long="entity_id,state,last_changed")),
    ("Home Assistant", ("entity_id", "state", "last_updated"), (), Profile(long="entity_id,state,last_updated")),
    ("Grafana", ("series", "time", "value"), (), Profile(long="Series,Value,Time")),
    ("Grafana", ("metric", "time", "value"), (), Profile(long="Metric,Value,Time")),
    ("ThingSpeak", ("created_at", "entry_id"), (), Profile(time="created_at", map={"id": "entry_id"})),
)


def preset_of(table: TextTable) -> tuple[str, Profile] | None:
    """(name, what its headers mean) of the first preset whose headers the table has."""
    headers = {h.casefold() for h in table.header}
    for name, needed, absent, profile in _PRESETS:
        if headers.issuperset(needed) and not headers.intersection(absent):
            return name, profile
    return None


def with_preset(profile: Profile, table: TextTable) -> tuple[Profile, str | None]:
    """`profile` with what the preset adds; what the profile says itself stands."""
    found = preset_of(table)
    if found is None:
        return profile, None
    name, preset = found
    update: dict[str, object] = {"map": {**preset.map, **profile.map}}
    if profile.time is None and profile.long is None and not _maps_time(profile.map):
        update |= {"time": preset.time, "long": preset.long}
    return profile.model_copy(update=update), name


def _maps_time(names: Sequence[str] | dict[str, str]) -> bool:
    return any(n.casefold() in ("timestamp", "time", "timestamp_key") for n in names)
