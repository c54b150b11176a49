"""Take models to where the rows are: as bytes in the Spark function, unpacked once per process."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydro_assets.errors import ModelUnavailableError

if TYPE_CHECKING:
    from hydro_assets.forecasting.package import ForecastPackage

# The one cache of the module: a Spark worker runs many tasks of the same plan in one process and must not load the
# models for each. Keyed by content, so it can never serve another version; the lock keeps concurrent tasks (the
# embedded engine runs them as threads of one process) from loading twice.
_LOADED: dict[str, ForecastPackage] = {}
_LOADED_AT_MOST = 12
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Shipment:
    """The files of one saved model by relative path, and the digest of them and of what loads them."""

    loader: type[ForecastPackage]
    files: Mapping[str, bytes]
    digest: str

    @classmethod
    def of(cls, package: ForecastPackage) -> Shipment:
        """Save `package` and keep what it wrote."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            package.save(root)
            files = {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        digest = hashlib.sha256(f"{type(package).__module__}.{type(package).__qualname__}".encode())
        for name, content in files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return cls(type(package), files, digest.hexdigest())

    def unpack(self) -> ForecastPackage:
        """The model, loaded at most once per process.

        Raises ModelUnavailableError when the files do not make a model.
        """
        with _LOCK:
            if self.digest not in _LOADED:
                while len(_LOADED) >= _LOADED_AT_MOST:
                    _LOADED.pop(next(iter(_LOADED)))
                _LOADED[self.digest] = self._load()
            return _LOADED[self.digest]

    def _load(self) -> ForecastPackage:
        if not self.files:
            raise ModelUnavailableError("A model was shipped without files", "Train and register it again")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return self.loader.load(Path(folder))
