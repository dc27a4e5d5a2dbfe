"""Packed streams read so that damage costs nothing that could be unpacked, and no header can ask for all memory."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from typing import IO, Any, cast

_INPUT = 1 << 16
_LARGEST_READ = 64 << 20


class ZipEntry:
    """A zip entry. Raises zipfile.BadZipFile for a wrong checksum, but only after the last byte was given."""

    def __init__(self, stream: IO[bytes], crc: int) -> None:
        self._stream = cast(Any, stream)
        self._wanted = crc
        self._crc = 0
        # zipfile compares at the end and throws the last chunk away with the error: it is compared here instead
        self._stream._expected_crc = None

    def read(self, size: int) -> bytes:
        chunk: bytes = self._stream.read1(size)
        if not chunk and self._crc != self._wanted:
            raise zipfile.BadZipFile("the checksum differs")
        self._crc = zlib.crc32(chunk, self._crc)
        return chunk


class Gunzip:
    """gzip, also several members in a row; what follows the last whole one is ignored, as gzip itself does.

    Raises EOFError where the stream breaks off and zlib.error where it is damaged, after all that could be unpacked.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._input = b""
        self._inflater: Any = zlib.decompressobj(wbits=31)
        self._whole_members = 0
        self._inside = False
        self._done = False

    def read(self, size: int) -> bytes:
        while not self._done:
            if not self._input:
                self._input = self._raw.read(_INPUT)
                if not self._input:
                    return self._end(size)
            if self._between() and not self._next_member():
                self._done = True
                return b""
            chunk = self._inflate(size)
            if chunk:
                return chunk
        return b""

    def _between(self) -> bool:
        return self._whole_members > 0 and not self._inside

    def _next_member(self) -> bool:
        self._input = self._input.lstrip(b"\0")
        if len(self._input) < 2:
            self._input += self._raw.read(_INPUT)
        return self._input.startswith(b"\x1f\x8b")

    def _inflate(self, size: int) -> bytes:
        chunk: bytes = self._inflater.decompress(self._input, size)
        self._inside = True
        self._input = self._inflater.unconsumed_tail
        if self._inflater.eof:
            self._input = self._inflater.unused_data
            self._whole_members += 1
            self._inside = False
            self._inflater = zlib.decompressobj(wbits=31)
        return chunk

    def _end(self, size: int) -> bytes:
        """No input is left: give what the inflater still holds, then finish or say that the stream was cut."""
        chunk: bytes = self._inflater.decompress(b"", size) if self._inside else b""
        if chunk:
            return chunk
        self._done = True
        if self._inside or not self._whole_members:
            raise EOFError("the gzip stream ends early")
        return b""


class BoundedReads:
    """A file whose single reads are capped: a tar header may claim any length for a name or an attribute."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            raise tarfile.ReadError(f"a header asks for {size:,} bytes")
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()
