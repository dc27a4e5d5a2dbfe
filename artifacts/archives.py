"""Archives and folders into members: every file once, unpacked to a numbered scratch file, counted while written.

No name from outside ever becomes a path. Sizes that an archive claims are not believed: real bytes are counted.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from artifacts.collected.package import package_root
from artifacts.limits import Budget, LoadStopped, MemberRefused
from artifacts.naming import safe_member_name, shown
from artifacts.streams import BoundedReads, Gunzip, ZipEntry

_CHUNK = 1 << 20
_RATIO_FLOOR = 1 << 20
_UTF8 = 0x800
_DIRECTORY_BYTES_PER_ENTRY = 512  # a zip's directory is read whole: cap it before zipfile does
# NotImplementedError: one entry that asks for a later version of the format, and zipfile refuses all.
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, struct.error, ValueError, NotImplementedError,
)  # fmt: skip

NoteProblem = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Member:
    """A file to read: ``name`` is for people (``!`` after an archive), ``path`` is ours."""

    name: str
    path: Path
    depth: int  # archives around it
    package: str = ""  # of a file of an investigation package: the name of the package


class Unpacker:
    """Opens archives into a scratch folder. One per load."""

    def __init__(
        self, scratch: Path, budget: Budget, problem: NoteProblem, rank: Callable[[str], int] = lambda name: 0
    ) -> None:
        self._scratch = scratch
        self._rank = rank
        self._budget = budget
        self._problem = problem
        self._count = 0

    def zip_members(self, archive: Member) -> Iterator[Member]:
        """The files of a zip, one at a time; each is deleted when the next is asked for."""
        if not self._depth_allows(archive) or not self._directory_is_sane(archive):
            return
        try:
            with _opened(archive.path, self._scratch) as opened:
                entries = opened.infolist()
                package = package_root(info.filename for info in entries)
                for info in sorted(entries, key=lambda info: self._rank(f"{archive.name}!{info.filename}")):
                    if not info.is_dir() and not info.filename.endswith("\\"):
                        for member in self._zip_member(archive, opened, info):
                            inside = package is not None and _plain(info.filename).startswith(package)
                            yield replace(member, package=archive.name) if inside else member
        except _BROKEN as error:
            self._problem(archive.name, "archive.broken", f"the zip cannot be read further: {error}")

    def _zip_member(self, archive: Member, opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[Member]:
        meant = _meant(info)
        name = f"{archive.name}!{shown(meant)}"
        try:
            name = f"{archive.name}!{shown(safe_member_name(meant))}"
            if stat.S_ISLNK(info.external_attr >> 16):
                raise MemberRefused("the entry is a symbolic link and was left out", code="archive.link")
            if info.flag_bits & 0x1:
                raise MemberRefused(
                    "the entry is encrypted; unpack the archive with its password and load the files",
                    code="archive.encrypted",
                )
            with opened.open(info) as stream:
                entry = ZipEntry(stream, info.CRC)
                yield from self._unpacked(archive, name, entry.read, packed=lambda: info.compress_size)
        except MemberRefused as error:
            self._problem(name, error.code, str(error))
        except (NotImplementedError, RuntimeError) as error:
            self._problem(name, "archive.unsupported", f"the entry's compression cannot be read: {error}")
        except _BROKEN as error:
            self._problem(name, "archive.broken", f"the entry cannot be read: {error}")

    def gzip_member(self, archive: Member) -> Iterator[Member]:
        """What a gzip holds, under the archive's name without ``.gz``."""
        if not self._depth_allows(archive):
            return
        inner = archive.name[:-3] if archive.name.lower().endswith(".gz") else archive.name
        if inner.lower().endswith(".tgz"):
            inner = inner[:-4] + ".tar"
        with archive.path.open("rb") as raw:
            yield from self._unpacked(archive, inner, Gunzip(raw).read, packed=raw.tell)

    def tar_members(self, archive: Member) -> Iterator[Member]:
        """The regular files of a tar."""
        if not self._depth_allows(archive):
            return
        try:
            with (
                archive.path.open("rb") as raw,
                tarfile.open(fileobj=cast(IO[bytes], BoundedReads(raw)), mode="r:") as opened,
            ):
                while (info := opened.next()) is not None:
                    # tarfile keeps every header it has seen; a tar of millions of empty entries must not fill memory
                    opened.__dict__["members"] = []
                    if not info.isdir():
                        yield from self._tar_member(archive, opened, info)
                self._tar_end(archive, raw, opened.offset)
        except _BROKEN as error:
            self._problem(archive.name, "archive.broken", f"the tar cannot be read further: {error}")

    def _tar_end(self, archive: Member, raw: IO[bytes], offset: int) -> None:
        """Say where entries after this place are lost: tarfile ends at a damaged header as at the end mark."""
        raw.seek(offset)
        block = raw.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE:
            said = "the tar is cut short: it has no end mark, and entries may be missing"
            self._problem(archive.name, "archive.cut", said)
        elif block.strip(b"\0"):
            lost = raw.seek(0, os.SEEK_END) - offset
            said = (
                f"the tar cannot be read further: an entry's header is damaged, {lost:,} bytes from there are left out"
            )
            self._problem(archive.name, "archive.broken", said)

    def _tar_member(self, archive: Member, opened: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[Member]:
        name = f"{archive.name}!{shown(info.name)}"
        try:
            name = f"{archive.name}!{shown(safe_member_name(info.name))}"
            stream = opened.extractfile(info) if info.isreg() else None
            if stream is None:
                raise MemberRefused(
                    "the entry is a link or a device, not a file, and was left out", code="archive.link"
                )
            yield from self._unpacked(archive, name, stream.read, packed=lambda: info.size)
        except MemberRefused as error:
            self._problem(name, error.code, str(error))

    def _unpacked(
        self, archive: Member, name: str, read: Callable[[int], bytes], *, packed: Callable[[], int]
    ) -> Iterator[Member]:
        """One member as a scratch file; what could be unpacked of a broken one is kept, and said."""
        self._budget.take_entry()
        self._count += 1
        path = self._scratch / f"{self._count:06d}.bin"
        try:
            try:
                self._copy(read, path, packed=packed)
            except _BROKEN as error:
                size = path.stat().st_size if path.exists() else 0
                self._problem(name, "archive.cut", f"damaged or cut short: {size:,} bytes unpacked and kept ({error})")
            except MemberRefused as error:
                self._problem(name, error.code, str(error))
                return
            if path.exists():
                yield Member(name, path, archive.depth + 1)
        finally:
            path.unlink(missing_ok=True)

    def _copy(self, read: Callable[[int], bytes], path: Path, *, packed: Callable[[], int]) -> None:
        limits = self._budget.limits
        written = 0
        with path.open("xb") as out:
            while chunk := read(_CHUNK):
                written += len(chunk)
                if written > limits.member_bytes:
                    raise MemberRefused(
                        f"more than {limits.member_bytes:,} bytes unpacked: left out", code="limit.member_bytes"
                    )
                if written > _RATIO_FLOOR and written > limits.ratio * max(packed(), 1):
                    raise MemberRefused(
                        f"unpacks to more than {limits.ratio} times its size (a zip bomb?): left out",
                        code="archive.bomb",
                    )
                self._budget.take_bytes(len(chunk))
                self._budget.check_time()
                out.write(chunk)

    def _depth_allows(self, archive: Member) -> bool:
        if archive.depth < self._budget.limits.depth:
            return True
        self._problem(
            archive.name,
            "archive.depth",
            f"archives lie more than {self._budget.limits.depth} deep: left out; unpack it and load the inner file",
        )
        return False

    def _directory_is_sane(self, archive: Member) -> bool:
        entries, size = _zip_directory(archive.path)
        cap = self._budget.limits.entries
        if entries <= cap and size <= cap * _DIRECTORY_BYTES_PER_ENTRY:
            return True
        self._problem(archive.name, "limit.entries", f"the zip lists {entries:,} entries, the cap is {cap:,}: left out")
        return False


def _meant(info: zipfile.ZipInfo) -> str:
    """An entry's name: without the flag for UTF-8 it should be code page 437, but many programs write UTF-8 anyway."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _opened(path: Path, scratch: Path) -> zipfile.ZipFile:
    """The zip; where a name claims to be UTF-8 and is not, which zipfile refuses whole, a copy without that claim."""
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        copy = scratch / f"names-{uuid.uuid4().hex}.zip"
        try:
            shutil.copyfile(path, copy)
            _withdraw_claims(copy)
            return zipfile.ZipFile(copy)
        finally:
            copy.unlink(missing_ok=True)  # an open file stays readable


def _withdraw_claims(path: Path) -> None:
    """Clear the flag for UTF-8 on entries whose names are none, in the directory and before the entry.

    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
    """
    with path.open("r+b") as raw:
        entries, size = _zip_directory(path)
        raw.seek(0, os.SEEK_END)
        end = raw.tell()
        raw.seek(max(0, end - 65_557))
        tail = raw.read()
        at = tail.rfind(b"PK\x05\x06")
        place = max(0, end - 65_557) + at - size
        for _ in range(entries):
            raw.seek(place)
            head = raw.read(46)
            if len(head) < 46 or head[:4] != b"PK\x01\x02":
                return
            flags, (name, extra, note) = struct.unpack_from("<H", head, 8)[0], struct.unpack_from("<3H", head, 28)
            if flags & _UTF8 and not _is_utf8(raw.read(name)):
                local = struct.unpack_from("<I", head, 42)[0]
                for where in (place + 8, local + 6):
                    raw.seek(where)
                    raw.write(struct.pack("<H", flags & ~_UTF8))
            place += 46 + name + extra + note


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _plain(name: str) -> str:
    return name.replace("\\", "/")


def _zip_directory(path: Path) -> tuple[int, int]:
    """Entries and bytes of a zip's central directory as its end record claims; (0, 0) where there is none."""
    with path.open("rb") as raw:
        end = raw.seek(0, os.SEEK_END)
        raw.seek(max(0, end - 65_557 - 20))
        tail = raw.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            return 0, 0
        entries, size = struct.unpack_from("<HL", tail, at + 10)
        if entries != 0xFFFF and size != 0xFFFFFFFF:
            return entries, size
        locator = tail.rfind(b"PK\x06\x07", 0, at)
        if locator < 0 or len(tail) < locator + 16:
            return entries, size
        raw.seek(min(struct.unpack_from("<Q", tail, locator + 8)[0], end))
        record = raw.read(56)
        return struct.unpack_from("<QQ", record, 32) if len(record) == 56 else (entries, size)


def folder_members(
    root: Path, name: str, budget: Budget, problem: NoteProblem, rank: Callable[[str], int] = lambda name: 0
) -> Iterator[Member]:
    """The files below a folder, by rank and name; links are not followed but named."""
    found = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        found += [(Path(folder) / file).relative_to(root).as_posix() for file in files]
        if len(found) > budget.limits.entries:  # one more than may be taken, which then stops the load
            break
    package = package_root(found)
    for inner in sorted(found, key=lambda inner: (rank(f"{name}/{inner}"), inner)):
        path, label = root / inner, f"{name}/{inner}"
        if path.is_symlink() or not path.is_file():
            problem(shown(label), "file.link", "a link or a device, not a file: left out")
            continue
        try:
            budget.take_entry()
        except LoadStopped as stop:
            problem(shown(label), stop.code, str(stop))
            raise
        inside = package is not None and inner.startswith(package)
        yield Member(shown(label), path, 0, name if inside else "")
