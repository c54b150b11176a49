"""Types of single settings: what they accept as text, and the sentence for what they do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from hydro_assets.durations import Duration
from hydro_assets.tables.sensors import ACTUATOR_COLUMNS, OPTIMAL_FLAGS, SENSOR


def _words(value: object) -> object:
    """`a, b` as an environment variable gives it -> ["a", "b"]; anything else as it is."""
    return [w.strip() for w in value.split(",") if w.strip()] if isinstance(value, str) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: a folder of zones, such as Europe
        raise ValueError(f"'{value}' is not an IANA time zone; write for example UTC or Europe/Amsterdam") from exc
    return value


def _step(value: timedelta) -> timedelta:
    day = timedelta(days=1)
    if value < timedelta(seconds=1) or value > timedelta(hours=6) or day % value != timedelta(0):
        raise ValueError(f"{value} must lie between 1s and 6h and divide a day, for example 10s, 1min, 5min, 1h")
    return value


def _sensors(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    unknown = [name for name in value if name not in SENSOR]
    if unknown or not value:
        named = ", ".join(unknown) or "no name"
        raise ValueError(f"{named} is not a sensor column; choose among {', '.join(SENSOR)}")
    return tuple(dict.fromkeys(value))


def _sensor(value: str) -> str:
    _sensors((value,))
    return value


def _labels(value: tuple[str, ...]) -> tuple[str, ...]:
    known = ("is_env_optimal", *OPTIMAL_FLAGS, *ACTUATOR_COLUMNS)
    if unknown := [name for name in value if name not in known]:
        raise ValueError(f"{', '.join(unknown)} is not a label; choose among {', '.join(known)}")
    return tuple(dict.fromkeys(value))


def _ahead(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if bad := [str(t) for t in value if not timedelta(0) < t <= timedelta(days=1)]:
        raise ValueError(f"lead time {', '.join(bad)} must lie between 0 and 24 h, for example 15min, 1h, 6h")
    return tuple(sorted(set(value)))


def _webhook(value: SecretStr | None) -> SecretStr | None:
    address = urlsplit(value.get_secret_value() if value is not None else "")
    if not address.geturl():
        return None  # `HYDRO_WEBHOOK_URL=` switches the webhook off
    if address.scheme not in ("http", "https") or not address.hostname or "@" in address.netloc:
        raise ValueError(
            "needs an address such as https://host/path, without user and password (put a token into the path)"
        )
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
"""An IANA name."""

GridStep = Annotated[Duration, AfterValidator(_step)]
"""A duration that divides a day."""

SensorColumn = Annotated[str, AfterValidator(_sensor)]

SensorColumns = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_words), AfterValidator(_sensors)]
"""At least one sensor column, each once; None leaves the choice to the farm's data."""

Labels = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_labels)]
"""States of the farm that can be true or false, each once."""

LeadTimes = Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(_words), AfterValidator(_ahead)]
"""Durations over 0 and up to 24 h, in order, each once."""

WebhookAddress = Annotated[SecretStr | None, AfterValidator(_webhook)]
