"""A file of any kind as a table of text: bytes -> encoding, kind by content (never by the ending), rows and header."""

from __future__ import annotations

import gzip
import zipfile
from io import BytesIO
from pathlib import Path

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.delimited import read_delimited
from hydro_assets.ingest.documents import read_json, read_parquet, read_workbook
from hydro_assets.ingest.profile import Profile
from hydro_assets.ingest.table import TextTable

_OTHER_KINDS = {
    b"SQLite format 3": "an SQLite database: export its table as CSV, for example sqlite3 -csv -header",
    b"%PDF": "a PDF: export the readings themselves as CSV",
    b"\x89PNG": "a picture: export the readings themselves as CSV",
    b"7z\xbc\xaf": "a 7z archive: unpack it, and import the file inside",
    b"Rar!": "an RAR archive: unpack it, and import the file inside",
}


def read_source(path: Path, profile: Profile) -> TextTable:
    """The table of text in a file: delimited text, a workbook, JSON or Parquet, each also gzipped.

    Raises SourceFileError when it is missing, a folder, empty, of another kind, or not text in the encoding.
    """
    data = _bytes_of(path)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as exc:
            raise SourceFileError(f"{path.name} is a damaged gzip file ({exc})", "Copy it again") from exc
    name = path.name
    if data[:4] == b"PAR1":
        return read_parquet(data, name)
    if data[:4] == b"PK\x03\x04":
        return _in_archive(data, name, profile)
    if data[:4] == b"\xd0\xcf\x11\xe0":
        return read_workbook(data, name, profile)
    for magic, kind in _OTHER_KINDS.items():
        if data.startswith(magic):
            raise SourceFileError(f"{name} is {kind.split(':')[0]}", kind.split(": ")[1].capitalize())
    text, encoding, notes = decoded(data, name, profile)
    if not text.strip():
        raise SourceFileError(f"{name} is empty", "Export the readings again, with a header line")
    if text.lstrip()[0] in "{[" and profile.separator is None:
        return read_json(text, name)
    return read_delimited(text, name, profile, encoding, notes)


def _bytes_of(path: Path) -> bytes:
    if path.is_dir():
        raise SourceFileError(f"{path} is a folder, not a file", f"Name its files: hydro import {path}/*.csv")
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise SourceFileError(f"There is no file {path}", "Check the path, and quote it if it has spaces") from exc
    except OSError as exc:
        raise SourceFileError(f"{path} cannot be read ({exc.strerror})", "Check the permissions of the file") from exc


def _in_archive(data: bytes, name: str, profile: Profile) -> TextTable:
    try:
        members = zipfile.ZipFile(BytesIO(data)).namelist()
    except zipfile.BadZipFile as exc:
        raise SourceFileError(
            f"{name} is a damaged workbook or zip archive ({exc})", "Copy or export it again"
        ) from exc
    if any(m.startswith(("xl/", "content.xml")) for m in members):
        return read_workbook(data, name, profile)
    raise SourceFileError(
        f"{name} is a binary file, a zip archive of {', '.join(members[:3]) or 'nothing'}",
        "Unpack it, and import the file inside",
    )


# -- text --------------------------------------------------------------------------------------------------------------


def decoded(data: bytes, name: str, profile: Profile) -> tuple[str, str, list[str]]:
    """The text of `data`, the encoding it was read in, and what was done to read it.

    A few lines that are no text (what a logger writes while it restarts) become lines with U+FFFD, which are left out
    later. Raises SourceFileError when more than that is no text; it names the encoding that the file looks like.
    """
    notes: list[str] = []
    encoding = profile.encoding or _marked_encoding(data)
    if encoding is None and (found := _utf16_without_mark(data)):
        encoding = found
        notes.append(f"every second byte is zero, so it is read as {found} (--encoding says otherwise)")
    encoding = encoding or "utf-8"
    if not encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32")) and b"\0" in data:
        zeros = data.count(b"\0")
        data = data.replace(b"\0", b"")
        if any(byte < 9 for byte in set(data)) or not data.strip():
            raise SourceFileError(
                f"{name} is a binary file, not CSV text",
                "Export it as CSV text, .xlsx, .json or .parquet; name another encoding with --encoding",
            )
        notes.append(f"{zeros:,} NUL bytes, as a memory card leaves them, are dropped")
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding, notes
    except UnicodeDecodeError as exc:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
        lines = text.splitlines()
        bad = [i for i, line in enumerate(lines, start=1) if "\ufffd" in line]
        if len(bad) > profile.bad_lines_allowed(len(lines)) or bad[0] == 1:
            looks = _likely_encoding(data)
            hint = f"; it looks like {looks}" if looks else ""
            raise SourceFileError(
                f"Line {bad[0]} of {name} is not {encoding.upper()} text ({len(bad):,} of {len(lines):,} lines){hint}",
                f"Name its encoding: --encoding {looks or 'cp1252'}",
            ) from exc
        return text, encoding, notes


def _marked_encoding(data: bytes) -> str | None:
    marks = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"))
    for mark, encoding in (*marks, (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return encoding
    return None


def _utf16_without_mark(data: bytes) -> str | None:
    head = data[:4096]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[offset::2], head[1 - offset :: 2]
        if zeros and zeros.count(0) > 0.9 * len(zeros) and others.count(0) < 0.1 * len(others):
            return encoding
    return None


def _likely_encoding(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    # Western exports first: the general guess needs more letters than a header has.
    high = {byte for byte in data if byte >= 0x80}
    western = set("äöüÄÖÜßéèêàáâçñóúíôîïëåøæÅØÆ°µ²³±§€–’‰".encode("cp1252"))
    if high and high <= western:
        return "cp1252"
    best = from_bytes(data[:100_000]).best()
    return best.encoding.replace("_", "-") if best is not None else None
