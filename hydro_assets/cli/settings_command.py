"""`hydro settings`: what is set, to what, and where that comes from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.markup import escape
from rich.table import Table

from hydro_assets.cli.app import app, console, settings_with
from hydro_assets.durations import duration_text
from hydro_assets.settings import WITH_SECRETS, Settings


@app.command("settings")
def settings_command(
    every: Annotated[bool, typer.Option("--all", help="also those that stand at their default")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="print a hydro.toml with every setting, commented")] = False,
) -> None:
    """Show the settings that differ from the defaults, and where each is set."""
    if sample:
        typer.echo(sample_toml(), nl=False)
        return
    settings = settings_with()
    file = settings.root / "hydro.toml"
    in_file = tomllib.loads(file.read_text()) if file.exists() else {}
    table = Table("setting", "value", "set in", title=f"Settings of {settings.root}", title_justify="left")
    for name, field in fields():
        value, variable = _at(settings, name), f"HYDRO_{name.replace('.', '__').upper()}"
        source = variable if variable in os.environ else "hydro.toml" if _in(in_file, name) else ""
        if every or source or value != field.default:
            hidden = name in WITH_SECRETS and value
            table.add_row(name, "(set; not shown)" if hidden else escape(value_text(value)), source or "default")
    console().print(table if table.row_count else "every setting stands at its default (hydro settings --all)")


def _at(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _in(given: Mapping[str, Any], name: str) -> bool:
    place: Any = given
    for part in name.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return False
        place = place[part]
    return True


def fields(model: type[BaseModel] = Settings, group: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Name with dots and field of every setting, groups after the single settings."""
    nested = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested.append((f"{group}{name}.", field.annotation, field))
        else:
            yield group + name, field
    for place, inner, field in nested:
        default = field.get_default(call_default_factory=True)
        for name, leaf in fields(inner, place):
            if leaf.is_required() and default is not None:  # the ends of a band
                leaf = FieldInfo.merge_field_infos(leaf, default=getattr(default, name.rpartition(".")[2]))
            yield name, leaf


def value_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(value_text, value))
    return "" if value is None else duration_text(value) if hasattr(value, "total_seconds") else str(value)


def toml_text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_text, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else '"' + value_text(value).replace("\\", "\\\\") + '"'


def sample_toml() -> str:
    lines = ["# Every setting of hydro_assets with its default. Take the # from the lines that you change."]
    group = ""
    for name, field in fields():
        here, _, last = name.rpartition(".")
        if here != group:
            lines.append(f"\n[{here}]")
            group = here
        lines.append(f"# {field.description}")
        if field.default is None or isinstance(field.default, dict):
            lines.append(f"# {last} =")
        else:
            lines.append(f"# {last} = {toml_text(field.default)}")
    return "\n".join(lines) + "\n"
