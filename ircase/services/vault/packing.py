"""One file in an AES-256 zip (WinZip's AE-2), made while it is sent: nothing of it is in memory or on a disk."""

import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyzipper
from django.core.exceptions import ValidationError

PASSWORD: Final = "infected"  # the word that those who exchange samples agree on, and that scanners leave alone
LONGEST: Final = 128


def password_of(text: str) -> str:
    """The password a person wants; the usual one for an empty text. Raises ValidationError."""
    if not text:
        return PASSWORD
    if not 4 <= len(text) <= LONGEST or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValidationError(
            f"A zip's password has 4 to {LONGEST} letters, digits and signs of ASCII, none of them hidden, and neither"
            " begins nor ends with a blank: programs disagree about all others."
        )
    return text


class _Sink(io.RawIOBase):
    """Where the zip is written to, and taken from piece by piece. It cannot seek, as a connection cannot."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def packed(chunks: Iterable[bytes], *, name: str, password: str) -> Iterator[bytes]:
    """The zip's bytes. It is stored, not deflated: what is harmful is mostly packed already, and time counts."""
    sink = _Sink()
    with pyzipper.AESZipFile(
        sink, "w", compression=pyzipper.ZIP_STORED, encryption=pyzipper.WZ_AES, allowZip64=True
    ) as archive:
        archive.setpassword(password.encode("ascii"))
        archive.setencryption(pyzipper.WZ_AES, nbits=256)
        with archive.open(name, "w", force_zip64=True) as entry:
            for chunk in chunks:
                entry.write(chunk)
                yield sink.take()
        yield sink.take()
    yield sink.take()
