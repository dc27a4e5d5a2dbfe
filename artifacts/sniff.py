"""What kind of file is this: by its first bytes, and by its name only where text could be anything."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal

from artifacts.collected.sqlitefiles import MAGIC, is_wal
from artifacts.xlsxfiles import is_workbook

Kind = Literal[
    "evtx", "json", "csv", "parquet", "zip", "tar", "gzip", "other", "packed", "empty", "document", "xlsx", "sqlite",
    "wal",
]  # fmt: skip

_TABLES = (".csv", ".tsv", ".psv")
_JSON = (".json", ".jsonl", ".ndjson")
ARCHIVE_NAMES = (".zip", ".gz", ".tgz", ".tar")
"""How the names of archives that are read end."""
_WORKBOOKS = (".xlsx", ".xlsm", ".xltx", ".xltm")
_DOCUMENTS = (".docx", ".pptx", ".jar", ".apk", ".odt", ".ods")
_PACKED = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"MSCF\x00", "cab"),
)


def kind_of(path: Path, name: str) -> Kind:
    """The kind of a file. ``packed`` is an archive that is not read, ``document`` a zip that is none."""
    with path.open("rb") as raw:
        head = raw.read(4096)
    lowered = name.lower()
    if not head or not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        return "empty"
    if head.startswith(b"ElfFile\x00") or lowered.endswith(".evtx"):
        return "evtx"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if lowered.endswith(_DOCUMENTS) or b"[Content_Types].xml" in head[:64] or lowered.endswith(_WORKBOOKS):
            return "xlsx" if is_workbook(path) else "document"
        return "zip"
    if head.startswith(MAGIC):
        return "sqlite"
    if is_wal(head):
        return "wal"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head[257:262] == b"ustar":
        return "tar"
    if packed_as(path) is not None:
        return "packed"
    return _text_kind(head, lowered)


def packed_as(path: Path) -> str | None:
    with path.open("rb") as raw:
        head = raw.read(8)
    return next((word for magic, word in _PACKED if head.startswith(magic)), None)


def _text_kind(head: bytes, name: str) -> Kind:
    if name.endswith(_TABLES):
        return "csv"
    first = _first_character(head)
    if name.endswith(_JSON) or (first in ("{", "[") and _looks_like_json(head)):
        return "json"
    return "other"


def _first_character(head: bytes) -> str:
    text = _decoded(head).lstrip("\ufeff \t\r\n\0")
    return text[:1]


def _looks_like_json(head: bytes) -> bool:
    return re.match(r"\s*(?:\[\s*)?(?:\{\s*(?:\"|\})|\[)", _decoded(head).lstrip("\ufeff\0")) is not None


def _decoded(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    return head.decode("utf-8", "replace")
