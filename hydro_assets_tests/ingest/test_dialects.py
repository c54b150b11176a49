"""A random farm, written in a random dialect, is read back equal."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydro_assets.ingest.export import read_export
from hydro_assets.ingest.profile import Profile
from hydro_assets.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Gold column -> (headers, [(unit in the header, value in it from Gold's unit)], usual range)
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, float, float], ...], tuple[float, float]]] = {
    "ph_level": (("pH", "ph_level", "Tank pH", "ph"), (("", 1, 0),), (4.5, 8)),
    "ec_level": (
        ("EC", "conductivity", "tank_ec"), ((" [mS/cm]", 1, 0), (" (µS/cm)", 1000, 0), (" (CF)", 10, 0)), (0.5, 3),
    ),
    "air_temperature": (
        ("DHT_temp", "air temp", "Room Temperature"), (("", 1, 0), (" (°F)", 1.8, 32), (" (K)", 1, 273.15)), (10, 35),
    ),
    "air_humidity": (("RH", "humidity", "DHT_humidity"), (("", 1, 0), (" [%]", 1, 0)), (30, 90)),
    "water_temperature": (("water_temp", "Reservoir temp"), (("", 1, 0), (" °F", 1.8, 32)), (10, 30)),
}  # fmt: skip
STAMPS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d_%H%M",
    "%d-%b-%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%y %H:%M:%S",
)  # fmt: skip


@st.composite
def farms(draw: st.DrawFn) -> tuple[bytes, dict[str, list[float | None]], list[datetime], dict[str, Any]]:
    """(file, Gold column -> values, times, options that the file does not show)."""
    n = draw(st.integers(5, 12))
    start = datetime(2025, draw(st.integers(1, 12)), draw(st.integers(13, 28)), draw(st.integers(0, 20)))
    times = [start + timedelta(minutes=5 * i) for i in range(n)]
    chosen = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=5, unique=True))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = "," if separator in ";\t" and draw(st.booleans()) else "."
    stamp = draw(st.sampled_from(STAMPS))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    above = draw(st.sampled_from(["", "# logger 7\n", "Device: doser\n\n"]))
    quote = draw(st.booleans())
    header, columns, truth = ["timestamp"], [[f"{t:{stamp}}" for t in times]], {}
    for name in chosen:
        names, units, (low, high) = COLUMNS[name]
        unit, factor, offset = draw(st.sampled_from(units))
        grid = st.integers(round(low * 10), round(high * 10)).map(lambda tenths: tenths / 10)
        values = draw(st.lists(st.one_of(st.none(), grid), min_size=n, max_size=n))
        values[0] = low  # every column has a value
        header.append(draw(st.sampled_from(names)) + unit)
        columns.append(["" if v is None else f"{v * factor + offset:.4f}".replace(".", decimal) for v in values])
        truth[name] = values
    rows = [header, *map(list, zip(*columns, strict=True))]
    cell = (lambda c: f'"{c}"') if quote else (lambda c: c)
    text = above + "".join(separator.join(map(cell, row)) + "\n" for row in rows)
    # One decimal comma alone does not show what it is; a farm says so once.
    options: dict[str, Any] = {"decimal": decimal} if decimal == "," else {}
    options |= {"separator": separator} if separator == "|" else {}
    return text.replace("\n", ending).encode(encoding), truth, times, options


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(farms())
def test_read_export__reads_a_random_farm_in_a_random_dialect(
    farm: tuple[bytes, dict[str, list[float | None]], list[datetime], dict[str, Any]],
) -> None:
    content, truth, times, options = farm
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        path.write_bytes(content)
        export = read_export(path, None, NOW, Settings(home=Path(folder)), Profile(**options))  # type: ignore[call-arg]
    has_value = [any(values[i] is not None for values in truth.values()) for i in range(len(times))]
    assert export.frame["timestamp_key"].to_list() == [t for t, there in zip(times, has_value, strict=True) if there]
    for name, values in truth.items():
        kept = [v for v, there in zip(values, has_value, strict=True) if there]
        assert export.frame[name].to_list() == [None if v is None else pytest.approx(v, abs=1e-3) for v in kept], name
    assert export.readings == export.frame.height + export.merged + sum(export.left_out.values())
