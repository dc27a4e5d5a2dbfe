"""The encrypted zip around an export that holds harmful files: told from an export, and opened in a stream.

What comes is hostile: the directory is bounded before it is read, there is one entry, nothing is written beyond the
size that was announced and that the disk has room for.
"""

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Final

import pyzipper
from django.conf import settings
from django.template.defaultfilters import filesizeformat

_LOCAL: Final = b"PK\x03\x04"
_END: Final = b"PK\x05\x06"
_END64: Final = b"PK\x06\x06"
_LOCATOR64: Final = b"PK\x06\x07"
_LONGEST_TAIL: Final = 22 + 0xFFFF
_LONGEST_DIRECTORY: Final = 1 << 16
_CHUNK: Final = 1 << 20


class Locked(Exception):
    """The password does not open it."""


class NotLocked(Exception):
    """It is no export in an encrypted zip. The message says what it is."""


def is_locked(path: Path) -> bool:
    """Whether the first entry of a zip is encrypted. IRCase's own exports never are (APPNOTE.TXT, 4.4.4, bit 0)."""
    with path.open("rb") as file:
        head = file.read(8)
    return len(head) == 8 and head.startswith(_LOCAL) and bool(head[6] & 1)


def unlock(path: Path, password: str, target: Path, *, check: Callable[[], None]) -> None:
    """Write the one file in the zip at `path` to `target`, which is new. Raises Locked, NotLocked, OSError."""
    with path.open("rb") as file:
        _require_one_entry(file)
        file.seek(0)
        try:
            with pyzipper.AESZipFile(file) as archive:
                _open(archive, password, target, check)
        except (pyzipper.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error) as error:
            # A wrong password passes the check of two bytes once in 65,536 times; the seal at the end tells.
            raise Locked(
                f"The zip could not be opened to its end: {error}. It is damaged, or the password is another."
            ) from None


def _open(archive: pyzipper.AESZipFile, password: str, target: Path, check: Callable[[], None]) -> None:
    entry = archive.infolist()[0]
    if not entry.flag_bits & 1 or not entry.wz_aes_version:
        raise NotLocked("The zip is not encrypted with AES. Take the export out of it and send that.")
    _require_room(entry.file_size, target.parent)
    archive.setpassword(password.encode())
    try:
        inner = archive.open(entry)
    except RuntimeError:
        raise Locked("The password does not open this zip.") from None
    with inner, target.open("xb") as out:
        _copy(inner, out, entry.file_size, check)


def _copy(inner: IO[bytes], out: BinaryIO, size: int, check: Callable[[], None]) -> None:
    left = size
    while chunk := inner.read(_CHUNK):
        check()
        left -= len(chunk)
        if left < 0:
            raise NotLocked("The zip holds more than its directory says.")
        out.write(chunk)


def _require_room(size: int, folder: Path) -> None:
    if size > settings.UPLOAD_RESUMABLE_MAX_BYTES:
        raise NotLocked(f"What is in the zip has {filesizeformat(size)}; an upload may not be so large.")
    if size > shutil.disk_usage(folder).free - settings.UPLOAD_RESERVE_BYTES:
        raise OSError(28, f"the disk has no room for the {filesizeformat(size)} that are in it")


def _require_one_entry(file: BinaryIO) -> None:
    """From the end of the zip alone, so that a library is never given a directory without bounds."""
    end = file.seek(0, 2)
    tail_at = max(0, end - _LONGEST_TAIL)
    file.seek(tail_at)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        raise NotLocked("It is no whole zip: its end is missing. Send it again.")
    entries, size = struct.unpack_from("<HI", tail, place + 10)
    if entries == 0xFFFF or size == 0xFFFFFFFF:
        entries, size = _end64(file, tail, place, tail_at)
    if entries != 1 or size > _LONGEST_DIRECTORY:
        raise NotLocked("An encrypted zip around an export holds one file. This one holds others: unpack it yourself.")


def _end64(file: BinaryIO, tail: bytes, place: int, tail_at: int) -> tuple[int, int]:
    """Entries and size of the directory of a Zip64 archive (4.3.14 and 4.3.15)."""
    if place < 20 or tail[place - 20 : place - 16] != _LOCATOR64:
        raise NotLocked("The end of the zip contradicts itself.")
    at = int(struct.unpack_from("<Q", tail, place - 12)[0])
    if at > tail_at + place:
        raise NotLocked("The end of the zip contradicts itself.")
    file.seek(at)
    record = file.read(56)
    if len(record) < 56 or not record.startswith(_END64):
        raise NotLocked("The end of the zip contradicts itself.")
    entries, size = struct.unpack_from("<QQ", record, 32)
    return int(entries), int(size)
