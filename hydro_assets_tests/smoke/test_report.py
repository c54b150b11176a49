"""The report of a farm that has run: every section has content, and the page needs nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from hydro_assets.errors import TableError
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.farm_report import sections, write_report
from hydro_assets_tests.smoke.conftest import Farm

pytestmark = pytest.mark.smoke
NOW = datetime(2026, 3, 5, 1, tzinfo=UTC)


def test_report__has_content_in_every_section(farm: Farm) -> None:
    made = {section.title: section for section in sections(farm.lakehouse, NOW)}
    assert len(made) == 9
    assert [title for title, s in made.items() if not (s.pictures or s.tables)] == []
    assert "2" in {n.value for n in made["Farm health"].numbers if n.name == "systems"}
    assert len(made["Forecast against actuals"].pictures) == 1


def test_report__is_one_file_that_loads_nothing(farm: Farm) -> None:
    page = write_report(farm.lakehouse, NOW, farm.settings.root / "page" / "farm.html").read_text()
    assert page.count("<svg") == 4
    loaded = re.findall(r"""(?:src|href|xlink:href)=["']([^"'#][^"']*)""", page)
    assert [address for address in loaded if not address.startswith("data:")] == []
    assert "<script" not in page


def test_report__of_an_empty_home_says_what_to_do(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableError, match="Import an export first"):
        write_report(lakehouse, NOW)
