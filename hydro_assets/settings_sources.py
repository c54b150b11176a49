"""Reading the settings of this process: every problem in one error, names that are no setting told with a proposal."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings.exceptions import SettingsError as BadValue

from hydro_assets.errors import SettingsError
from hydro_assets.settings import Settings

_NOT_SETTINGS = frozenset({"HYDRO_STEP_CODE", "HYDRO_GIT_COMMIT", "HYDRO_DATABRICKS_TEST", "HYDRO_IN_LAUNCHED_STEP"})
"""Variables with the prefix that are read elsewhere."""


def load_settings(**overrides: Any) -> Settings:
    """Settings from arguments, environment and file; every problem in one readable error."""
    remedy = "Correct the option, the HYDRO_* variable (nested names with __) or hydro.toml in HYDRO_HOME"
    if unknown := _unknown_variables():
        raise SettingsError.of_all(unknown, "Correct the name, or unset it")
    try:
        found = Settings(**overrides)
        _require_usable(found)
        return found
    except ValidationError as exc:
        raise SettingsError.of_all([_told(e) for e in exc.errors()], remedy) from None  # the cause shows the values
    except BadValue as exc:  # pydantic-settings could not read a variable as the JSON that its field needs
        raise SettingsError(f"{exc}; a group of settings is written as JSON or as HYDRO_GROUP__NAME", remedy) from None
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"hydro.toml in HYDRO_HOME is no TOML: {exc}", "Mend the file, or remove it") from None
    except (OSError, UnicodeError, ValueError, OverflowError, RuntimeError) as exc:
        kind = type(exc).__name__
        raise SettingsError(f"HYDRO_HOME or hydro.toml in it cannot be used ({kind}: {exc})", remedy) from None


# What no way to write a path makes readable, and which library cannot read it.
_UNREADABLE = (
    (re.compile(r"[\[\]|^\\]"), "delta-rs takes it for a part of an address"),
    (re.compile(r"%[0-9A-Fa-f]{2}"), "delta-rs decodes it to another character"),
    (re.compile(r"[\x00-\x1f\x7f]"), "delta-rs refuses control characters"),
    (re.compile(r"[\ud800-\udfff]"), "it is no UTF-8"),
    (re.compile(r"\?"), "the SQLite addresses of Dagster and MLflow end there"),
)


def _require_usable(settings: Settings) -> None:
    """Raise SettingsError for a home that cannot hold a farm, before anything is written."""
    places = {"HYDRO_HOME": str(settings.root)}
    if settings.lakehouse_uri is not None and "://" not in (settings.table_root or ""):
        places["HYDRO_LAKEHOUSE_URI"] = settings.table_root or ""
    problems = [
        f"{name} {path!r} cannot be used: {found[0]!r} stands in it, and {why}"
        for name, path in places.items()
        for pattern, why in _UNREADABLE
        if (found := pattern.search(path)) and (name == "HYDRO_HOME" or found[0] != "?")
    ]
    if problems:
        raise SettingsError.of_all(problems, "Choose a folder without it; blanks, umlauts, # and quotes are no problem")
    toml = settings.root / "hydro.toml"
    if toml.exists() and not toml.is_file():
        raise SettingsError(f"{toml} is not a file", "Remove it, or set HYDRO_HOME to another folder")


def _told(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] != "extra_forbidden":
        return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    meant = _meant_setting(place)
    return f"{place} is no setting" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


def setting_names(model: type[BaseModel] = Settings, group: str = "") -> Iterator[str]:
    """Every setting, groups with dots: `seed`, `recurrent.epochs`, `crop.ph_level.low`."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{group}{name}.")
        else:
            yield group + name


def _meant_setting(place: str) -> list[str]:
    """`epochs` -> `recurrent.epochs`: that name in any group, else spelt nearly so, else with such a last part."""
    known = list(setting_names())
    last = place.rpartition(".")[2]
    if same := [k for k in known if k.rpartition(".")[2] == last]:
        return same
    groups = {k.partition(".")[0] for k in known if "." in k}
    if near := difflib.get_close_matches(place, [*known, *groups], 3, 0.75):
        return near
    parts = difflib.get_close_matches(last, {k.rpartition(".")[2] for k in known}, 1, 0.75)
    return [k for k in known if k.rpartition(".")[2] in parts]


def _unknown_variables() -> list[str]:
    """Variables with our prefix whose first name is no setting: a typing error would be silently without effect."""
    known = [f"HYDRO_{name.upper()}" for name in Settings.model_fields]
    unknown = [
        name
        for name in sorted(os.environ)
        if name.startswith("HYDRO_") and name not in _NOT_SETTINGS and name.split("__")[0] not in known
    ]
    return [f"{name} is no setting{_meant(name.split('__')[0], known)}" for name in unknown]


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def remember(home: Path, **values: Any) -> Path:
    """Keep settings in `hydro.toml` under `home`, so that the command line and the UI agree. Other lines stay."""
    import tomlkit

    path = home / "hydro.toml"
    document = tomlkit.parse(path.read_text()) if path.exists() else tomlkit.document()
    document.update(values)
    home.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(document))
    return path
