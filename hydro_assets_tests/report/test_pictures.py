"""Small pictures: what a page of Dagster shows without a click."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import pytest

from hydro_assets.report.pictures import SMALL_HEIGHT, SMALL_POINTS, SMALL_WIDTH, small_svg

Lines = Mapping[str, Sequence[float | None]]
SINE = [6 + math.sin(i / 90) for i in range(1440)]
CASES = {
    "a day of minutes": {"forecast": SINE, "actual": [v + 0.1 for v in SINE]},
    "huge numbers": {"forecast": [1e9 * v for v in SINE]},
    "one value": {"actual": [6.1]},
    "constant": {"actual": [6.0] * 50},
    "gaps": {"actual": [None, 1.0, 2.0, None, None, 3.0, None]},
}


def points(svg: str) -> list[list[tuple[int, int]]]:
    paths = [e.attrib["d"].replace("M", " ").split() for e in ElementTree.fromstring(svg).iter() if "d" in e.attrib]
    return [[(int(x), int(y)) for x, y in (point.split(",") for point in path)] for path in paths]


@pytest.mark.parametrize("lines", CASES.values(), ids=CASES)
def test_small_svg__draws_every_line_inside_its_frame(lines: Lines) -> None:
    drawn = points(small_svg(lines))
    assert len(drawn) == len(lines)
    for path in drawn:
        assert 0 < len(path) <= SMALL_POINTS
        assert all(0 <= x <= SMALL_WIDTH and 0 <= y <= SMALL_HEIGHT for x, y in path)


def test_small_svg__shows_a_gap_as_one() -> None:
    assert small_svg({"actual": [1.0, None, 2.0, 3.0]}).count("M") == 2


def test_small_svg__of_nothing_known_is_nothing() -> None:
    assert small_svg({"actual": [None, None], "forecast": []}) == ""
