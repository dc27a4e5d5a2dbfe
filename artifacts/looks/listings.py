"""What an archive says it holds. Nothing is unpacked to the disk."""

from __future__ import annotations

import lzma
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from artifacts.limits import ArtifactError
from artifacts.looks.shown import visible
from artifacts.looks.texts import Say

MOST_ENTRIES: Final = 5_000
_COUNTED: Final = 200_000
_SECONDS: Final = 30.0
_BOMB: Final = 200
_METHODS: Final = {0: "stored", 8: "deflated", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 99: "AES"}


class NoListing(ArtifactError):
    code = "look.no_listing"


def listing(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """``entries``: name, size, packed, ratio, encrypted, how, time, and what is odd about it, the first 5,000."""
    if zipfile.is_zipfile(path):
        return _zip(path)
    try:
        return _tar(path, say)
    except tarfile.ReadError:
        return _gzip(path)


def _zip(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            found, comment = archive.infolist(), archive.comment
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise NoListing(f"Its directory cannot be read: {visible(str(error), 200)}") from None
    sizes, packed = sum(one.file_size for one in found), sum(one.compress_size for one in found)
    return {
        "form": "zip",
        "count": len(found),
        "total": sizes,
        "packed": packed,
        "encrypted": sum(bool(one.flag_bits & 1) for one in found),
        "comment": visible(comment.decode("cp437"), 1_000),
        "entries": [_entry_of_zip(one) for one in found[:MOST_ENTRIES]],
        "cut": len(found) > MOST_ENTRIES,
    }


def _entry_of_zip(one: zipfile.ZipInfo) -> dict[str, Any]:
    year, month, day, hour, minute, second = one.date_time
    ratio = one.file_size / one.compress_size if one.compress_size else 0.0
    return {
        "name": visible(one.orig_filename, 300),
        "size": one.file_size,
        "packed": one.compress_size,
        "ratio": round(ratio, 1),
        "encrypted": bool(one.flag_bits & 1),
        "how": _METHODS.get(one.compress_type, f"method {one.compress_type}"),
        "at": f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}",
        "odd": _odd(one.orig_filename, ratio, is_link=(one.external_attr >> 16) & 0o170000 == 0o120000),
    }


def _odd(name: str, ratio: float = 0.0, *, is_link: bool = False) -> list[str]:
    parts = name.replace("\\", "/").split("/")
    found = []
    if ".." in parts or name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        found.append("leaves its folder")
    if is_link:
        found.append("a link")
    if ratio > _BOMB:
        found.append("may be a bomb")
    if visible(name, 10_000) != name:
        found.append("hidden letters")
    return found


def _tar(path: Path, say: Say) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    count = total = 0
    ends, cut = time.monotonic() + _SECONDS, False
    try:
        with tarfile.open(path, "r:*") as archive:
            for one in archive:
                archive.members.clear()  # type: ignore[attr-defined]  # else every header ever seen stays in memory
                count, total = count + 1, total + one.size
                if len(entries) < MOST_ENTRIES:
                    entries.append(_entry_of_tar(one))
                if count % 1_000 == 0:
                    say({"entries": count})
                if count >= _COUNTED or time.monotonic() > ends:
                    cut = True
                    break
    except tarfile.ReadError:
        if not entries:
            raise
        cut = True
    except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, OverflowError):
        if not entries:
            raise NoListing("It is cut off or damaged before its first entry.") from None
        cut = True
    if not entries:
        raise tarfile.ReadError("no entries")
    cut = cut or count > len(entries)
    return {"form": "tar", "count": count, "total": total, "packed": path.stat().st_size, "encrypted": 0,
            "comment": "", "entries": entries, "cut": cut}  # fmt: skip


def _entry_of_tar(one: tarfile.TarInfo) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(min(max(float(one.mtime), 0), 2**33)))
    odd = _odd(one.name, is_link=one.issym() or one.islnk())
    return {"name": visible(one.name, 300), "size": one.size, "packed": None, "ratio": None, "encrypted": False,
            "how": "", "at": at, "odd": odd if one.isfile() or one.isdir() or one.issym() or one.islnk()
            else [*odd, "a device"]}  # fmt: skip


def _gzip(path: Path) -> dict[str, Any]:
    """What a gzip's header and its last four bytes say; the size is only true below 4 GB and for one member."""
    with path.open("rb") as raw:
        head = raw.read(1_024)
        if not head.startswith(b"\x1f\x8b"):
            raise NoListing("It is no archive of a kind that is listed: zip, tar (also packed) and gzip.")
        size = path.stat().st_size
        raw.seek(max(0, size - 4))
        claimed = int.from_bytes(raw.read(4), "little")
    inner = ""
    if len(head) > 10 and head[3] & 8 and not head[3] & 4:
        inner = head[10:].split(b"\x00", 1)[0].decode("latin-1")
    at = int.from_bytes(head[4:8], "little")
    ratio = round(claimed / size, 1) if size else 0.0
    entry = {"name": visible(inner, 300) or "(unnamed)", "size": claimed, "packed": size, "ratio": ratio,
             "encrypted": False, "how": "deflated", "odd": _odd(inner, ratio),
             "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) if at else ""}  # fmt: skip
    return {"form": "gzip", "count": 1, "total": claimed, "packed": size, "encrypted": 0, "comment": "",
            "entries": [entry], "cut": False}  # fmt: skip
