"""A farm that writes files and reads them as `hydro import` does, without any engine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.export import Export, read_export
from hydro_assets.ingest.profile import profile_of
from hydro_assets.settings import Settings

ARRIVED = datetime(2026, 1, 2, tzinfo=UTC)


class ExportFolder:
    """Writes a file into a folder and reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reads(
        self,
        content: str | bytes,
        name: str = "export.csv",
        system: str | None = None,
        timezone: str = "UTC",
        **options: Any,
    ) -> Export:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        settings = Settings(home=self.folder, timezone=timezone)  # type: ignore[call-arg]
        export = read_export(path, system, ARRIVED, settings, profile_of(options, "the test"))
        rows = export.frame.height - export.held
        assert export.readings == rows + export.merged + sum(export.left_out.values()), "the count adds up"
        return export

    def refuses(self, content: str | bytes, name: str = "export.csv", **options: Any) -> str:
        with pytest.raises(SourceFileError) as error:
            self.reads(content, name, **options)
        assert error.value.remedy
        return str(error.value)


@pytest.fixture
def exports(tmp_path: Path) -> ExportFolder:
    return ExportFolder(tmp_path)
