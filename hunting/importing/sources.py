"""Files, folders, zips and checkouts as a stream of members: one in memory at a time, each with its caps.

No path is built from a name that came from outside; links are not followed; a zip is never unpacked to disk.
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT has the zip's fields.
"""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from hunting.importing.model import ImportRefused, Limits

_END: Final = b"PK\x05\x06"
_END_LENGTH: Final = 22
_CHUNK: Final = 1024 * 1024
TEXTS: Final = frozenset(
    {".md", ".markdown", ".yaml", ".yml", ".json", ".kql", ".csl", ".kusto", ".txt", ".kql2", ".query"}
)  # fmt: skip
_NESTED: Final = frozenset({".zip", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".cab"})


@dataclass(frozen=True)
class Raw:
    """A member as it came: its bytes, or why they were not read."""

    path: str
    data: bytes = b""
    refusal: str = ""


def shown(path: str) -> str:
    """A path for people: control characters and marks that turn text are made visible, 300 characters at most."""
    safe = "".join(c if c.isprintable() else "\ufffd" for c in path)
    return safe if len(safe) <= 300 else f"…{safe[-299:]}"


def walk_folder(folder: Path, limits: Limits) -> Iterator[Raw]:
    """Every file beneath a folder but for git's own, in order of name."""
    count = total = 0
    for parent, folders, files in os.walk(folder, followlinks=False):
        here = Path(parent)
        for name in sorted(f for f in folders if (here / f).is_symlink()):
            yield Raw(shown(_relative(here / name, folder)), refusal="It is a link; links are not followed.")
        folders[:] = sorted(f for f in folders if f != ".git" and not (here / f).is_symlink())
        for name in sorted(files):
            count += 1
            path = here / name
            shown_path = shown(_relative(path, folder))
            if count > limits.members:
                yield Raw(
                    shown_path,
                    refusal=f"The source has more than {limits.members:,} files; this one and all after it stay out.",
                )
                return
            raw = read_path(path, shown_path, limits, limits.total_bytes - total)
            total += len(raw.data)
            yield raw


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def read_path(path: Path, name: str, limits: Limits, left: int) -> Raw:
    """One file of the disk."""
    try:
        # O_NONBLOCK: a named pipe must not hold the reader up; O_NOFOLLOW: nor a link lead it out of the folder.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        link = path.is_symlink()
        return Raw(
            name, refusal="It is a link; links are not followed." if link else f"It cannot be opened: {error.strerror}."
        )
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return Raw(name, refusal="It is no plain file.")
        return read_stream(file, name, limits, left)


def read_stream(file: BinaryIO, name: str, limits: Limits, left: int) -> Raw:
    """One file, read up to one byte more than it may have."""
    if unread := _unread(name):
        return Raw(name, refusal=unread)
    data = file.read(min(limits.member_bytes, max(left, 0)) + 1)
    if len(data) > limits.member_bytes:
        return Raw(name, refusal=f"It is larger than {_size(limits.member_bytes)}.")
    if len(data) > left:
        return Raw(name, refusal=f"The source holds more than {_size(limits.total_bytes)} in all; this one stays out.")
    return Raw(name, data)


def _unread(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _NESTED:
        return "It is an archive inside the source; unpack it and import what it holds."
    if suffix and suffix not in TEXTS and not suffix[1:].isdigit():
        return f"A {suffix[:20]} file is none of the formats in which hunts come."
    return ""


def _size(size: int) -> str:
    return f"{size // (1024 * 1024):,} MB" if size >= 1024 * 1024 else f"{size:,} bytes"


# --- zips


def walk_zip(file: BinaryIO, limits: Limits) -> Iterator[Raw]:
    """Every file of a zip, in its order. Raises ImportRefused for a zip that is damaged or too large to list."""
    _check_directory(file, limits)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error, UnicodeError) as error:
        raise ImportRefused(f"The zip is damaged: {error}.") from error
    left = limits.total_bytes
    seen: set[str] = set()
    with archive:
        for count, entry in enumerate(archive.infolist(), 1):
            name = entry.filename.replace("\\", "/")
            if count > limits.members:
                yield Raw(
                    shown(name),
                    refusal=f"The zip has more than {limits.members:,} members; this one and all after it stay out.",
                )
                return
            if entry.is_dir() and entry.file_size == 0:
                continue
            reason = _unsafe(entry, name) or ("The zip has this name twice; the first is read." if name in seen else "")
            seen.add(name)
            raw = Raw(shown(name), refusal=reason) if reason else _inflate(archive, entry, name, limits, left)
            left -= len(raw.data)
            yield raw


def _check_directory(file: BinaryIO, limits: Limits) -> None:
    """The size of the list of members, before a library reads it into memory."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    if size > limits.zip_bytes:
        raise ImportRefused(f"The zip is larger than {_size(limits.zip_bytes)}.")
    file.seek(max(0, size - _END_LENGTH - 65_535))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_LENGTH:
        raise ImportRefused("The zip is damaged: its list of members is missing.")
    length = struct.unpack_from("<L", tail, at + 12)[0]
    if length == 0xFFFFFFFF or length > limits.zip_directory_bytes:
        raise ImportRefused(f"The zip's list of members is larger than {_size(limits.zip_directory_bytes)}.")
    file.seek(0)


def _unsafe(entry: zipfile.ZipInfo, name: str) -> str:
    mode = entry.external_attr >> 16
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return "Its name leads out of the zip (an absolute path, or ..)."
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        return "It is a link or a special file, not a plain one."
    if entry.flag_bits & 0x1:
        return "It is encrypted."
    return _unread(name)


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limits: Limits, left: int) -> Raw:
    """The bytes of a member; what the zip says of its size is not believed."""
    bomb = f"It unpacks to more than {limits.zip_ratio} times its size."
    if entry.file_size > _CHUNK and entry.file_size > entry.compress_size * limits.zip_ratio:
        return Raw(shown(name), refusal=bomb)
    try:
        with archive.open(entry) as packed:
            raw = read_stream(io.BufferedReader(packed), shown(name), limits, left)  # type: ignore[type-var]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error) as error:
        return Raw(shown(name), refusal=f"It cannot be unpacked: {str(error)[:200] or type(error).__name__}.")
    if len(raw.data) > _CHUNK and len(raw.data) > entry.compress_size * limits.zip_ratio:
        return Raw(shown(name), refusal=bomb)
    return raw
