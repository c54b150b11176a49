"""How one kind of export is read: the options of `hydro import`, kept under a name as TOML that can be shared."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from hydro_assets.durations import Duration, duration_text
from hydro_assets.errors import SettingsError


def option_pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """`["pH=field1,TDS=field2", "EC=cond"]` as a dictionary. A comma inside a header splits nothing."""
    pairs = {}
    for text in given:
        for part in re.split(r",\s*(?=[\w .()%/-]+=)", text):
            name, equals, value = part.partition("=")
            if not equals or not name.strip() or not value.strip():
                raise SettingsError(f"{option} {text} is no pair", f"Write {option} NAME=VALUE, for example pH=field1")
            pairs[name.strip()] = value.strip()
    return pairs


def _pairs(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


class Profile(BaseModel):
    """Options of one kind of export. What is None is found in the file, or refused where the file does not show it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    map: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default={}, description="quantity -> header or series name"
    )
    unit: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default={}, description="quantity or header -> its unit"
    )
    time: str | None = Field(default=None, description="header of the time; Date+Time joins two columns")
    time_format: str | None = Field(
        default=None, description="strptime format, or unix, unix_ms, unix_us, unix_ns, excel"
    )
    timezone: str | None = Field(default=None, description="zone of stamps without an offset; None = the farm's")
    dates: Literal["dmy", "mdy"] | None = Field(default=None, description="order of day and month")
    long: str | None = Field(default=None, description="NAME,VALUE,TIME: headers of a table with one value per line")
    hold: Duration | None = Field(
        default=None, description="how long a value stays valid, for loggers that write changes only"
    )
    skip: int | None = Field(default=None, ge=0, description="lines above the header")
    comment: str | None = Field(default=None, min_length=1, description="lines that begin with this are no readings")
    separator: str | None = Field(default=None, description="one character, or `tab`")
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    null: tuple[str, ...] = Field(default=(), description="words that mean: no value")
    no_header: bool = False
    sheet: str | None = Field(default=None, description="sheet of a workbook; None = the first that has rows")
    max_bad_lines: str = Field(default="1%", description="most lines that may be left out, as a share or a number")
    allow: bool = Field(default=False, description="import what looks like another unit or another clock")

    @field_validator("separator")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        value = {"tab": "\t", "\\t": "\t", "space": " "}.get(value or "", value)
        if value is not None and len(value) != 1:
            raise ValueError(f"'{value}' is not one character; write for example ';' or tab")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return None if value is None else codecs.lookup(value).name
        except LookupError as exc:
            raise ValueError(f"'{value}' is no encoding; write for example utf-8, cp1252 or utf-16") from exc

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            return None if value is None else ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError(f"'{value}' is not an IANA time zone; write for example UTC or Europe/Berlin") from exc

    @field_validator("long")
    @classmethod
    def _three_names(cls, value: str | None) -> str | None:
        if value is not None and len([n for n in value.split(",") if n.strip()]) != 3:
            raise ValueError(f"'{value}' needs three headers: NAME,VALUE,TIME")
        return value

    @field_validator("max_bad_lines")
    @classmethod
    def _number_or_share(cls, value: str) -> str:
        if not re.fullmatch(r"\d+|\d+(\.\d+)?\s*%", value.strip()):
            raise ValueError(f"'{value}' is neither a number of lines nor a share such as 1%")
        return value.strip()

    def bad_lines_allowed(self, lines: int) -> int:
        """How many of `lines` may be left out."""
        text = self.max_bad_lines
        return int(lines * float(text[:-1]) / 100) if text.endswith("%") else int(text)

    def changed(self, **options: Any) -> Profile:
        """This profile with the options that are not None or empty; maps, units and null words are added."""
        given = {k: v for k, v in options.items() if v not in (None, (), {}, [], False)}
        for name in ("map", "unit"):
            if name in given:
                given[name] = {**getattr(self, name), **given[name]}
        if "null" in given:
            given["null"] = tuple(dict.fromkeys([*self.null, *given["null"]]))
        return profile_of({**self.model_dump(exclude_defaults=True), **given}, "the options")


def profile_of(values: Mapping[str, Any], source: str) -> Profile:
    """Validated values; every problem in one SettingsError."""
    try:
        return Profile(**values)
    except ValidationError as exc:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in exc.errors()]
        raise SettingsError.of_all(problems, f"Correct {source} (hydro import --help lists what can be said)") from exc


def profile_path(home: Path, name: str) -> Path:
    """File of the profile `name`; a path with the ending .toml is itself."""
    if name.endswith(".toml"):
        return Path(name)
    if not re.fullmatch(r"[\w -]+", name):
        raise SettingsError(f"'{name}' is no name of a profile", "Use letters, digits, - and _, or a path ending .toml")
    return home / "profiles" / f"{name}.toml"


def load_profile(path: Path, is_new: bool = False) -> Profile:
    """The kept profile; `is_new`: an empty one where there is no such file yet. Raises SettingsError otherwise."""
    if not path.exists():
        if is_new:
            return Profile()
        kept = sorted(p.stem for p in path.parent.glob("*.toml"))
        there = f"; there are {', '.join(kept)}" if kept else ""
        raise SettingsError(
            f"There is no profile {path}{there}", "Correct the name, or give the options to keep under it: --map ..."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as exc:
        raise SettingsError(f"The profile {path} cannot be read: {exc}", "Correct the file, or remove it") from exc
    return profile_of(values, str(path))


def save_profile(profile: Profile, path: Path) -> None:
    """Keep `profile` as TOML with its fields as keys."""
    import tomlkit

    values = profile.model_dump(exclude_defaults=True)
    if profile.hold is not None:
        values["hold"] = duration_text(profile.hold)
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(values), encoding="utf-8")
