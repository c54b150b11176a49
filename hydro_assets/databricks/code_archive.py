"""The code that a launched step runs: a reproducible archive of named packages and nothing else."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from hydro_assets.errors import SettingsError

# What a package is made of. Data, models, notebooks, .env files and keys have other endings or hidden names.
_SHIPPED_SUFFIXES = frozenset({".py", ".pyi", ".json", ".yml", ".yaml", ".toml", ".md", ".typed"})
_NEVER_SHIPPED = frozenset({"__pycache__", "data", "node_modules", "mlruns"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


def code_archive(root: Path, packages: Iterable[str]) -> tuple[bytes, str]:
    """Zip of `packages` under `root` and its SHA-256; equal sources give equal bytes.

    Raises:
        SettingsError: one of `packages` is no package under `root`.
    """
    missing = [name for name in packages if not (root / name / "__init__.py").is_file()]
    if missing:
        raise SettingsError(
            f"{root} holds no package {', '.join(missing)}", "Correct source_root or packages of step_launcher"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in sorted(packages):
            for path in sorted((root / package).rglob("*")):
                relative = path.relative_to(root)
                if _is_shipped(path, relative):
                    entry = zipfile.ZipInfo(relative.as_posix(), _EPOCH)
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest()


def _is_shipped(path: Path, relative: Path) -> bool:
    return (
        path.suffix in _SHIPPED_SUFFIXES
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") or part in _NEVER_SHIPPED for part in relative.parts)
    )
