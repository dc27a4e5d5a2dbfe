"""A form with a file as a request body that is read piece by piece, never built whole.

https://www.rfc-editor.org/rfc/rfc7578
"""

import io
import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

_FORBIDDEN = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a form; `content` is read from its start, `size` in bytes."""

    name: str
    content: IO[bytes]
    size: int


class Multipart:
    """The body of one attempt, as the HTTP library reads it: its length is known before it is sent."""

    def __init__(self, parts: Mapping[str, str | FilePart]) -> None:
        self._boundary = uuid.uuid4().hex
        self._parts = parts
        self._length = sum(size for _, size in self._pieces())
        self._streams = iter(self._pieces())
        self._now: IO[bytes] = io.BytesIO()

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """The next bytes, b"" at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(64 * 1024), b""))
        while not (piece := self._now.read(size)) and size:
            following = next(self._streams, None)
            if following is None:
                return b""
            self._now = following[0]
        return piece

    def _pieces(self) -> Iterator[tuple[IO[bytes], int]]:
        yield from itertools.chain.from_iterable(self._part(name, value) for name, value in self._parts.items())
        yield self._text(f"--{self._boundary}--\r\n")

    def _part(self, name: str, value: str | FilePart) -> Iterator[tuple[IO[bytes], int]]:
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name.translate(_FORBIDDEN)}"'
        if isinstance(value, str):
            yield self._text(f"{head}\r\n\r\n{value}\r\n")
            return
        yield self._text(f'{head}; filename="{value.name.translate(_FORBIDDEN)}"\r\n')
        yield self._text("Content-Type: application/octet-stream\r\n\r\n")
        value.content.seek(0)
        yield value.content, value.size
        yield self._text("\r\n")

    @staticmethod
    def _text(text: str) -> tuple[IO[bytes], int]:
        encoded = text.encode()
        return io.BytesIO(encoded), len(encoded)
