from __future__ import annotations

import pytest
from filelock import FileLock

from hydro_assets.cli import home_lock
from hydro_assets.cli.home_lock import alone_in
from hydro_assets.errors import BusyError
from hydro_assets.settings import Settings


def test_second_writer__waits_and_then_says_who_holds_the_home(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(home_lock, "LONGEST_WAIT", 0.1)
    settings.root.mkdir(parents=True)
    (settings.root / "hydro.lock.holder").write_text("`hydro import` (process 7, 12:00 UTC)")
    with FileLock(settings.root / "hydro.lock"), pytest.raises(BusyError, match=r"`hydro import` \(process 7"):
        alone_in(settings).__enter__()
    assert "waiting for `hydro import`" in capsys.readouterr().err


def test_home__is_free_again_when_a_command_failed(settings: Settings) -> None:
    with pytest.raises(RuntimeError), alone_in(settings):
        raise RuntimeError
    with alone_in(settings):
        assert "process" in (settings.root / "hydro.lock.holder").read_text()
    assert not (settings.root / "hydro.lock.holder").exists()
