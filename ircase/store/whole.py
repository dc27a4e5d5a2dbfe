"""The evidence store above its backends: bytes under their SHA-256, written once, encrypted where a key is set.

A plain file is the object `<sha256>`. An encrypted one is `<sha256>.enc`, and the key of that file, wrapped, is the
small object `<sha256>.<id>.key` beside it: that one alone is written anew when the wrapping key changes.
"""

import contextlib
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from ircase.store import sealing
from ircase.store.base import (
    CHUNK,
    Backend,
    Entry,
    NotStored,
    StoreAltered,
    StoreError,
    StoreFull,
    StoreLingers,
    chunks_of,
    hashed,
)
from ircase.store.copies import Copies
from ircase.store.sealing import Header, Keyring

Answer = TypeVar("Answer")
_ENC: Final = ".enc"
_KEY: Final = re.compile(r"^([0-9a-f]{64})\.([0-9a-f]{32})\.key$")
_FILE: Final = re.compile(r"^([0-9a-f]{64})(\.enc)?$")


@dataclass(frozen=True)
class Stored:
    """Bytes that are safely in the store. `size` in bytes; `at`: when they were known to be there; `key`: the id of the
    key that wraps theirs, "" where they are not encrypted."""

    sha256: str
    size: int
    at: datetime | None = None
    key: str = ""


@dataclass(frozen=True)
class Store:
    """`spool`: where bytes wait whose name must be known first. `read_back`: what was written is hashed again."""

    backend: Backend
    keys: Keyring
    copies: Copies
    spool: Path
    read_back: bool = True

    @property
    def is_encrypted(self) -> bool:
        return bool(self.keys.current)

    # --- putting

    def put(self, chunks: Iterable[bytes], size: int = 0) -> Stored:
        """Store a stream: whole under its hash, or not at all. Raises StoreError."""
        if not self.backend.names_first:
            return self._write(chunks, size, None)
        with self._spooled(chunks) as path:
            return self.put_file(path)

    def put_file(self, path: Path, watch: Callable[[], None] = lambda: None) -> Stored:
        """Store a file of this machine. `watch` is called with every piece, and may raise to stop it."""
        try:
            size = path.stat().st_size
            known = digest_watched(path, watch) if self.backend.names_first else None
            return self._write(_watched(path, watch), size, known)
        except OSError as error:
            raise StoreError(f"The file could not be read: {error.strerror or error}. Nothing was sealed.") from error

    @contextlib.contextmanager
    def _spooled(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        try:
            self.spool.mkdir(parents=True, exist_ok=True, mode=0o750)
            file = tempfile.NamedTemporaryFile(prefix="store-", dir=self.spool)  # noqa: SIM115
        except OSError as error:
            raise _no_spool(error) from error
        with file:
            try:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
            except OSError as error:
                raise _no_spool(error) from error
            yield Path(file.name)

    def _write(self, chunks: Iterable[bytes], size: int, known: str | None) -> Stored:
        meter = _Meter(chunks)
        made = _Sealed(self, meter, known) if self.is_encrypted else None
        stream: Iterable[bytes] = made.stream() if made else meter
        suffix = _ENC if made else ""

        def name() -> str:
            sha256 = known or meter.sha256
            if made:
                made.keep_key(sha256)
            return sha256 + suffix

        try:
            new = self.backend.create(_exactly(stream, meter, known), name, self._is_sound, size)
        except BaseException:
            if made:
                made.drop_key()
            raise
        # A store that did as asked, and whose answer was lost, says to the next try that the object is there already.
        if made and not new and self._header(meter.sha256 + suffix).identifier != made.header.identifier:
            made.drop_key()
        stored = Stored(meter.sha256, meter.size, datetime.now().astimezone(), self.keys.current)
        # Also where the same bytes were there before, which takes the same time: nobody can tell that they were.
        if self.read_back and new and not self._is_sound(stored.sha256 + suffix):
            self.backend.set_aside(stored.sha256 + suffix)
            raise StoreError("What was written does not read back as it was. Nothing was sealed; look at the store.")
        return stored

    def _is_sound(self, name: str) -> bool:
        """Whether an object's bytes are those of its name."""
        sha256 = name.removesuffix(_ENC)
        try:
            if not self.read_back:
                return self._plain_size(name) >= 0
            return hashed(self._plain(name, 0, None))[0] == sha256
        except StoreAltered:
            return False

    # --- reading

    def size(self, sha256: str) -> int:
        """Plain bytes. Raises NotStored."""
        return self._either(sha256, self._plain_size)

    def exists(self, sha256: str) -> bool:
        try:
            self.size(sha256)
        except NotStored:
            return False
        return True

    def chunks(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, streamed. Raises NotStored before the first of them."""
        return self._either(sha256, lambda name: self._plain(name, start, end))

    def opened(self, sha256: str) -> io.BufferedReader:
        """The file to read and to seek in. Close it."""
        return io.BufferedReader(_Reader(self, sha256, self.size(sha256)), CHUNK)

    def digest(self, sha256: str) -> tuple[str, int]:
        """What the bytes are now: SHA-256 and size. Raises NotStored, StoreAltered."""
        return hashed(self.chunks(sha256))

    @contextlib.contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """A path to the bytes, while the block lasts: the file itself on a plain disk, else a checked copy."""
        path = self._own_path(sha256)
        if path is not None:
            yield path
            return
        with self.copies.held(sha256, self.size(sha256), lambda: self.chunks(sha256)) as copy:
            yield copy

    def local_path(self, sha256: str) -> Path:
        """The same, for programs that take a path now and read it within two hours."""
        path = self._own_path(sha256)
        return path or self.copies.path(sha256, self.size(sha256), lambda: self.chunks(sha256))

    def _own_path(self, sha256: str) -> Path | None:
        path = self.backend.path(sha256)
        if path is None or not self._is_plain(sha256):
            return None
        return path

    def _is_plain(self, sha256: str) -> bool:
        return self._either(sha256, lambda name: self.backend.size(name) >= 0 and not name.endswith(_ENC))

    def _either(self, sha256: str, ask: Callable[[str], Answer]) -> Answer:
        """Files of before encryption was switched on or off are still read: the form that is used now comes first."""
        forms = (sha256 + _ENC, sha256) if self.is_encrypted else (sha256, sha256 + _ENC)
        try:
            return ask(forms[0])
        except NotStored:
            try:
                return ask(forms[1])
            except NotStored:
                raise NotStored(f"The evidence store has no file {sha256}.") from None

    def _plain(self, name: str, start: int, end: int | None) -> Iterator[bytes]:
        if not name.endswith(_ENC):
            return self.backend.read(name, start, end)
        header, size = self._header(name), self.backend.size(name)
        where = sealing.span(size, start, end)
        raw = self.backend.read(name, where.start, where.end)
        return sealing.decrypted(raw, self._key_of(name, header), header, size, where)

    def _plain_size(self, name: str) -> int:
        size = self.backend.size(name)
        return sealing.plain_size(size) if name.endswith(_ENC) else size

    def _header(self, name: str) -> Header:
        return Header.parse(b"".join(self.backend.read(name, 0, sealing.HEADER)))

    def _key_of(self, name: str, header: Header) -> bytes:
        beside = _key_name(name.removesuffix(_ENC), header)
        try:
            data = b"".join(self.backend.read(beside))
        except NotStored:
            raise StoreAltered(f"The key of {name} is not in the store: the file cannot be decrypted.") from None
        return self.keys.unwrap(data, header.identifier)

    # --- removing, looking after

    def delete(self, sha256: str) -> None:
        """Remove the bytes in every form, what was set aside as altered with them: it may be all of them but a byte.
        Raises StoreLocked. The keys go first: without them nothing can be read.
        Raises StoreLingers when everything was deleted that the store nevertheless keeps for a while."""
        found = [Item.of(entry) for entry in self.backend.entries(sha256)]
        keys = [item.entry.name for item in found if item.kind == "key"]
        altered = [item.entry.name for item in found if item.kind == "altered"]
        lingering: list[StoreLingers] = []
        for name in (*keys, sha256 + _ENC, sha256, *altered):
            try:
                self.backend.remove(name)
            except StoreLingers as error:
                lingering.append(error)
        self.copies.forget(sha256)
        if lingering:
            raise max(lingering, key=lambda one: one.until or datetime.max.replace(tzinfo=UTC))

    def locked_until(self, sha256: str) -> datetime | None:
        found = [until for name in (sha256, sha256 + _ENC) if (until := self.backend.locked_until(name))]
        return max(found, default=None)

    def files(self) -> Iterator["Item"]:
        """Everything that the store lists, sorted into files, keys and the rest."""
        for entry in self.backend.entries():
            yield Item.of(entry)

    def rewrap(self, name: str) -> str:
        """Wrap one file's key by the newest of ours. The id of the key it was under; raises StoreError."""
        data = b"".join(self.backend.read(name))
        before = sealing.key_id(data)
        found = _KEY.match(name)
        if found is None:
            raise StoreError(f"{name} is no key of a file.")
        if before != self.keys.current and self.keys.current:
            identifier = bytes.fromhex(found[2])
            self.backend.replace(name, self.keys.wrap(self.keys.unwrap(data, identifier), identifier))
        return before

    def key_under(self, name: str) -> str:
        """By which key of ours the key in `name` is wrapped."""
        return sealing.key_id(b"".join(self.backend.read(name)))


@dataclass(frozen=True)
class Item:
    """An object of the store: `kind` is file, key, altered or other; `sha256` of the file, or of the key's file."""

    entry: Entry
    kind: str
    sha256: str = ""
    identifier: str = ""

    @classmethod
    def of(cls, entry: Entry) -> "Item":
        if found := _FILE.match(entry.name):
            return cls(entry, "file", found[1])
        if found := _KEY.match(entry.name):
            return cls(entry, "key", found[1], found[2])
        if ".altered-" in entry.name:
            return cls(entry, "altered", entry.name[:64])
        return cls(entry, "other")


class _Meter:
    """A stream, hashed and counted while it passes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._digest, self.size = chunks, hashlib.sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Sealed:
    """One file being encrypted: its key is kept before the file appears, and dropped where it does not."""

    def __init__(self, store: Store, meter: _Meter, known: str | None) -> None:
        self.store, self.meter, self.header, self.key = store, meter, Header.new(), sealing.new_key()
        self.kept = ""

    def stream(self) -> Iterator[bytes]:
        return sealing.encrypted(self.meter, self.key, self.header)

    def keep_key(self, sha256: str) -> None:
        name = _key_name(sha256, self.header)
        self.store.backend.replace(name, self.store.keys.wrap(self.key, self.header.identifier))
        self.kept = name

    def drop_key(self) -> None:
        if self.kept:
            with contextlib.suppress(StoreError):
                self.store.backend.remove(self.kept)


class _Reader(io.RawIOBase):
    """A stored file as Python knows files: each seek begins a new stream."""

    def __init__(self, store: Store, sha256: str, size: int) -> None:
        self._store, self._sha256, self._size, self._at = store, sha256, size, 0
        self._stream: Iterator[bytes] | None = None
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        target = max(0, base + offset)
        if target != self._at:
            self._at, self._stream, self._rest = target, None, memoryview(b"")
        return target

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if not self._rest:
            if self._at >= self._size:
                return 0
            if self._stream is None:
                self._stream = self._store.chunks(self._sha256, self._at)
            self._rest = memoryview(next(self._stream, b""))
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest, self._at = self._rest[len(part) :], self._at + len(part)
        return len(part)


def _key_name(sha256: str, header: Header) -> str:
    return f"{sha256}.{header.identifier.hex()}.key"


def _exactly(stream: Iterable[bytes], meter: _Meter, known: str | None) -> Iterator[bytes]:
    """The stream, refused at its end where it is not what was hashed before: the file changed meanwhile."""
    yield from stream
    if known is not None and meter.sha256 != known:
        raise StoreError("The file changed while it was stored. Nothing was sealed; retry.")


def digest_watched(path: Path, watch: Callable[[], None]) -> str:
    return hashed(_watched(path, watch))[0]


def _watched(path: Path, watch: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks_of(path):
        watch()
        yield chunk


def _no_spool(error: OSError) -> StoreFull:
    return StoreFull(
        f"This machine's disk could not take the bytes on their way to the evidence store: {error.strerror or error}. "
        "Nothing was sealed; free space and retry."
    )
