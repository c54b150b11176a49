"""The version of the code that makes an asset: a hash of the modules that its adapter leads to."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

import hydro_assets

_ROOT = Path(hydro_assets.__file__).parent
# Far quicker than parsing, which every process that loads the definitions would wait for. What is imported inside a
# function counts; a name in a comment counts too, which only makes a version change more often than it must.
_MODULE = re.compile(r"\bhydro_assets((?:\.\w+)+)")


def code_version(module: str, shown_by: str | None = None) -> str:
    """Version for an asset whose function stands in `module` (`__name__`): changes when any code changes that makes it.

    Other modules of `defs`, and the module `shown_by`, are left out: they show what was made, and make nothing.
    """
    digest = hashlib.sha256()
    shows = _file(shown_by.split(".")[1:]) if shown_by else ()
    for path in _leads_to(_file(module.split(".")[1:]), shows):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _leads_to(start: tuple[Path, ...], shows: tuple[Path, ...]) -> list[Path]:
    found, todo = set(start), list(start)
    while todo:
        for path in _imports(todo.pop()):
            if path not in found and path not in shows and path.relative_to(_ROOT).parts[0] != "defs":
                found.add(path)
                todo.append(path)
    return sorted(found)


@cache
def _imports(path: Path) -> frozenset[Path]:
    return frozenset(
        file for match in _MODULE.finditer(path.read_text()) for file in _file(match[1].strip(".").split("."))
    )


@cache
def _modules(folder: Path) -> tuple[Path, ...]:
    return tuple(folder.glob("*.py"))


def _file(parts: list[str]) -> tuple[Path, ...]:
    """Files of `a.b.name`: module b where there is one; all modules of a package, as any may be the name imported."""
    for end in range(len(parts), 0, -1):
        place = _ROOT.joinpath(*parts[:end])
        if (module := place.with_suffix(".py")).is_file():
            return (module,)
        if place.is_dir():
            return _modules(place)
    return ()
