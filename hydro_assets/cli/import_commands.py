"""Commands that fill Gold: `hydro import`, `hydro imports`, `hydro forget`, and the simulated farm of `hydro demo`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table as RichTable

from hydro_assets.cli.app import app, console, require_file, say, settings_with
from hydro_assets.cli.home_lock import exclusive
from hydro_assets.cli.progress import progress_bar
from hydro_assets.errors import SourceFileError
from hydro_assets.settings import Settings

Option = typer.Option


@app.command("import")
@exclusive
def import_command(
    files: Annotated[list[Path] | None, typer.Argument(help="exports: CSV, .xlsx, .json, .parquet")] = None,
    csv: Annotated[list[Path] | None, Option(help="the same, one by one")] = None,
    system: Annotated[str | None, Option(help="system_id of these readings")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="show how the files are read; write nothing")] = False,
    replaces: Annotated[
        bool, Option("--replace", help="take back earlier imports of this file name, system and time")
    ] = False,
    profile: Annotated[str | None, Option(help="name of kept options, or a .toml file; options given are kept")] = None,
    names: Annotated[
        list[str] | None, Option("--map", help="quantity=header, for example pH=field1,TDS=field2")
    ] = None,
    unit: Annotated[list[str] | None, Option(help="quantity=unit, for example EC=uS/cm")] = None,
    time: Annotated[str | None, Option(help="header of the time; Date+Time joins two columns")] = None,
    time_format: Annotated[
        str | None, Option(help="strptime format, or unix, unix_ms, unix_us, unix_ns, excel")
    ] = None,
    timezone: Annotated[str | None, Option(help="zone of stamps without an offset, if not the farm's")] = None,
    dates: Annotated[str | None, Option(help="order of day and month: dmy or mdy")] = None,
    long: Annotated[str | None, Option(help="NAME,VALUE,TIME of a table with one value per line")] = None,
    hold: Annotated[str | None, Option(help="keep each value this long: for loggers that write changes only")] = None,
    skip: Annotated[int | None, Option(help="lines above the header")] = None,
    comment: Annotated[str | None, Option(help="lines that begin with this are no readings (default #)")] = None,
    separator: Annotated[str | None, Option(help="character between cells, or tab")] = None,
    decimal: Annotated[str | None, Option(help="mark before the decimals: . or ,")] = None,
    encoding: Annotated[str | None, Option(help="for example cp1252")] = None,
    null: Annotated[list[str] | None, Option(help="word that means no value; may be given several times")] = None,
    no_header: Annotated[bool, Option("--no-header", help="columns are column_1, column_2, ...")] = False,
    sheet: Annotated[str | None, Option(help="sheet of a workbook")] = None,
    max_bad_lines: Annotated[str | None, Option(help="most lines that may be left out: 1%, or a number")] = None,
    allow: Annotated[bool, Option("--allow", help="import what looks like another unit or another clock")] = False,
) -> None:
    """Add exports of loggers and dashboards to Gold, and say how they were read. Importing again changes nothing."""
    from hydro_assets.ingest.cadence import grid_fit
    from hydro_assets.ingest.profile import Profile, load_profile, option_pairs, profile_path, save_profile
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.gold import import_readings, preview, read_exports, require_enough

    paths = [*(files or []), *(csv or [])]
    if not paths:
        raise SourceFileError("No file is named", "Name the exports: hydro import FILE...")
    for path in paths:
        require_file(path)
    settings = settings_with()
    options: dict[str, Any] = {
        "map": option_pairs(names or [], "--map"), "unit": option_pairs(unit or [], "--unit"), "time": time,
        "time_format": time_format, "timezone": timezone, "dates": dates, "long": long, "hold": hold, "skip": skip,
        "comment": comment, "separator": separator, "decimal": decimal, "encoding": encoding, "null": null,
        "no_header": no_header, "sheet": sheet, "max_bad_lines": max_bad_lines, "allow": allow,
    }  # fmt: skip
    kept = None if profile is None else profile_path(settings.root, profile)
    has_options = Profile().changed(**options) != Profile()
    before = Profile() if kept is None else load_profile(kept, is_new=has_options)
    how = before.changed(**options)
    lakehouse = Lakehouse(settings)
    with progress_bar("reading " + ", ".join(path.name for path in paths[:3])):
        exports = read_exports(lakehouse, paths, system, datetime.now(UTC), how)
    if not dry_run:
        require_enough(lakehouse, paths, exports)
    for path, export in zip(paths, exports, strict=True):
        say(f"{path.name}:")
        for line in export.report.lines():
            say(f"  {line}")
        if dry_run:
            done = preview(lakehouse, export)
        else:
            done = import_readings(lakehouse, export, path.name, datetime.now(UTC), replaces, say)
        for note in done.notes:
            say(note if note.startswith("WARNING") else f"note: {note}")
        say(f"{path.name}: {'would be ' if dry_run else ''}{done}")
        if advice := grid_fit(done.cadences, settings.feature_step, settings.target_col).advice:
            say(f"note: {advice}")
    if dry_run:
        say("Nothing was written (--dry-run)")
        require_enough(lakehouse, paths, exports)
        return
    if kept is not None and how != before:
        save_profile(how, kept)
        say(f"options kept in {kept}; next time: hydro import FILE --profile {profile}")
    say("Next: hydro run")


@app.command("imports")
def imports_command() -> None:
    """List the imports: number, file, systems, rows in Gold, time."""
    from hydro_assets.ingest.journal import entries, rows_in_gold
    from hydro_assets.lakehouse import Lakehouse

    lakehouse = Lakehouse(settings_with())
    known = entries(lakehouse)
    if not known:
        say("No import yet. Next: hydro import FILE")
        return
    rows = rows_in_gold(lakehouse)
    table = RichTable("#", "file", "systems", "readings", "in Gold", "from", "to", "imported", "state", box=box.SIMPLE)
    for e in known:
        held = rows.get(e.ingestion_timestamp, 0)
        state = f"taken back {e.forgotten_at:%Y-%m-%d}" if e.forgotten_at else "" if held == e.added else "incomplete"
        table.add_row(
            str(e.import_id), e.source_file, e.systems, f"{e.readings:,}", f"{held:,}", f"{e.first_reading:%Y-%m-%d}",
            f"{e.last_reading:%Y-%m-%d}", f"{e.imported_at:%Y-%m-%d %H:%M}", state,
        )  # fmt: skip
    console().print(table)


@app.command("forget")
@exclusive
def forget_command(
    number: Annotated[int, typer.Argument(help="number of the import, as hydro imports lists it")],
) -> None:
    """Take an import out of Gold again. What it corrected is in force again; the files stay on disk."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.gold import forget_import

    entry, gone = forget_import(Lakehouse(settings_with()), number, datetime.now(UTC), say)
    say(f"import {number} ({entry.source_file}, {entry.systems}): {gone:,} readings taken out of Gold. Next: hydro run")


def fill_demo_farm(settings: Settings, systems: int, days: int, now: datetime) -> str:
    """Simulated Gold of the `days` days before `now`, once; a second call keeps what is there."""
    from hydro_assets.lakehouse import Lakehouse
    from hydro_assets.pipeline.gold import add_readings
    from hydro_assets.simulator.faults import Faults
    from hydro_assets.simulator.greenhouse import simulate

    lakehouse = Lakehouse(settings)
    if lakehouse.exists("gold.iot_data"):
        have = lakehouse.days("gold.iot_data")
        return f"Gold is there already: {have[0]} to {have[-1]}"
    end = now.replace(second=0, microsecond=0)
    readings = simulate(
        systems,
        end - timedelta(days=days),
        end,
        settings.seed,
        faults=Faults(),
        timezone=settings.timezone,
        crop=settings.crop,
    )
    return str(add_readings(lakehouse, readings))
