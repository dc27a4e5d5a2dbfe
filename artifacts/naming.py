"""Names from outside: shown safely, and turned into table and column names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from artifacts.limits import MemberRefused

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NOT_WORD = re.compile(r"[^A-Za-z0-9_]+")
# Device names that Windows opens whatever folder they stand in.
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?:\.|\Z)", re.IGNORECASE
)
_PART = re.compile(r"(?:part|data|chunk|page|rows?|batch|file|export)?[-_ ]?\d*", re.IGNORECASE)


def shown(name: str, *, length: int = 400) -> str:
    """A name from outside as it may stand in a message: no control or direction characters, bounded length."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", name)
    return text if len(text) <= length else text[: length // 2] + "…" + text[-length // 2 :]


def safe_member_name(name: str) -> str:
    """An archive entry's name with ``/`` between folders.

    Backslashes are separators too: Windows PowerShell 5.1 writes them into zips. Raises MemberRefused for an absolute
    path, a drive letter, ``..`` and Windows device names: such an entry is only ever made to hurt.
    """
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise MemberRefused("the entry has an absolute path and was left out", code="archive.name")
    if ".." in parts:
        raise MemberRefused("the entry's path climbs out with '..' and was left out", code="archive.name")
    if any(_DEVICES.match(part) for part in parts):
        raise MemberRefused("the entry carries the name of a Windows device and was left out", code="archive.name")
    if not parts:
        raise MemberRefused("the entry has no name and was left out", code="archive.name")
    return "/".join(parts)


def table_name(member: str) -> str:
    """The table name that a file gives: its stem, or its folder's name where the stem only numbers a part."""
    path = PurePosixPath(member.replace("!", "/"))
    stem = path.name
    while stem.lower().endswith((".gz", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".parquet", ".log")):
        stem = stem.rpartition(".")[0]
    if _PART.fullmatch(stem) and path.parent.name:
        folder = path.parent.name
        stem = folder.rpartition(".")[0] if folder.lower().endswith((".zip", ".gz", ".tar", ".tgz")) else folder
    return identifier(stem)


def identifier(text: str) -> str:
    """Letters, digits and ``_`` only, as KQL takes a bare name; never empty, never a digit first."""
    word = _NOT_WORD.sub("_", text).strip("_")[:120]
    return word if re.match(r"[A-Za-z_]", word) else f"T_{word}".rstrip("_")


def column_name(text: str, position: int) -> str:
    """A column's name from outside: trimmed, without control characters; ``Column<n>`` where nothing is left."""
    name = _CONTROL.sub("", text).strip()[:120]
    return name or f"Column{position}"
