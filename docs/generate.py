"""Pages of the documentation that are written from the code: settings, sample hydro.toml, tables, commands."""

from __future__ import annotations

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic.fields import FieldInfo

from hydro_assets.cli.app import app
from hydro_assets.cli.settings_command import fields, sample_toml, value_text
from hydro_assets.settings import Settings
from hydro_assets.tables import (
    ACTUATOR_COLUMNS,
    SENSOR,
    Table,
    batch_predictions_table,
    gold_tables,
    prediction_tables,
    sensor_features_table,
)


def pages() -> dict[str, str]:
    """File name -> content of every generated page."""
    return {
        "reference/settings.md": settings_page(),
        "reference/hydro.toml": sample_toml(),
        "reference/tables.md": tables_page(),
        "reference/commands.md": commands_page(),
    }


def bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(f"{signs[n]} {getattr(m, n):g}" for m in field.metadata for n in signs if hasattr(m, n))


def settings_page() -> str:
    rows = ["| setting | default | bounds | meaning |", "|---|---|---|---|"]
    for name, field in fields():
        default = f"`{text}`" if (text := value_text(field.default)) else "none"
        rows.append(f"| `{name}` | {default} | {bounds(field)} | {(field.description or '').replace('|', '/')} |")
    return (
        "# Settings\n\n"
        "Every setting may stand in `hydro.toml` in the home (a [sample](hydro.toml) with all of them), in the\n"
        "environment as `HYDRO_` and its name in capitals (`HYDRO_RECURRENT__EPOCHS=20`: two underscores for a dot),\n"
        "or behind a training as `--set recurrent.epochs=20`. The command line wins over the environment, the\n"
        "environment over the file. `hydro settings` shows what is set and where. Write durations as `10s`, `5min`,\n"
        "`1h`.\n\n" + "\n".join(rows) + "\n"
    )


def all_tables() -> list[Table]:
    """Every table in the order of the data, with the columns of a farm that measures everything."""
    features = sensor_features_table(Settings.model_fields["feature_step"].default, list(SENSOR), ACTUATOR_COLUMNS)
    fixed = [t for module in (gold_tables, prediction_tables) for t in vars(module).values() if isinstance(t, Table)]
    gold = [t for t in fixed if t.name.startswith("gold.")]
    predictions = batch_predictions_table(features)
    carried = set(features.column_names)
    own = Table(
        predictions.name,
        tuple(c for c in predictions.columns if c.name not in carried),
        f"{predictions.comment} All columns of {features.name}, then these:",
        predictions.keys,
        predictions.partition_by,
    )
    return [*gold, features, own, *(t for t in fixed if not t.name.startswith("gold."))]


def tables_page() -> str:
    text = "# Tables and columns\n\nFull names start with the catalog (`hydroponics` by default).\n"
    for table in all_tables():
        keys = f" Keys: {', '.join(f'`{k}`' for k in table.keys)}." if table.keys else ""
        parts = f" Partitioned by `{table.partition_by}`." if table.partition_by else ""
        text += f"\n## {table.name}\n\n{table.comment}{keys}{parts}\n\n"
        text += "| column | type | unit | range | meaning |\n|---|---|---|---|---|\n"
        for c in table.columns:
            text += f"| `{c.name}` | {c.type} | {c.unit} | {c.range_text} | {c.meaning.replace('|', '/')} |\n"
    return text


def commands_page() -> str:
    root = typer.main.get_command(app)
    text = "# Commands\n\n`hydro COMMAND --help` says the same.\n"
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]
        if command.hidden:
            continue
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        shape = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)
        text += f"\n## hydro {name}\n\n    hydro {name} {shape}".rstrip() + f"\n\n{(command.help or '').strip()}\n"
        rows = [
            f"| `{', '.join((*p.opts, *p.secondary_opts)) if p.param_type_name == 'option' else p.name.upper()}` "
            f"| {p.help or ''} | {'' if p.default in (None, False, ()) or callable(p.default) else p.default} |"
            for p in command.params
        ]
        if rows:
            text += "\n| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    return text


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs' hook: the pages are made with every build, so that none can be out of date."""
    for name, content in pages().items():
        files.append(File.generated(config, name, content=content))
    return files
