"""DER, as little of it as a time-stamping authority writes and reads (ITU-T X.690)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

INTEGER, OCTETS, OID, UTF8, TIME, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x0C, 0x18, 0x30, 0x31


def tlv(tag: int, content: bytes) -> bytes:
    """One value: its tag, its length, its content."""
    size = len(content)
    length = bytes([size]) if size < 0x80 else b""
    if not length:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + length + content


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """A SET OF, whose members stand in the order of their bytes."""
    return tlv(SET, b"".join(sorted(parts)))


def integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    return tlv(OCTETS, value)


def oid(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    content = b""
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return tlv(OID, content)


def time(moment: datetime) -> bytes:
    """A GeneralizedTime of UTC, to the second."""
    return tlv(TIME, f"{moment:%Y%m%d%H%M%SZ}".encode("ascii"))


def tagged(number: int, content: bytes) -> bytes:
    """A constructed value in a context's own tag: [number]."""
    return tlv(0xA0 | number, content)


def parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The values in some content, each with its tag. Raises ValueError where it is not DER."""
    at = 0
    while at < len(content):
        if at + 2 > len(content):
            raise ValueError("a value is cut off")
        tag, size = content[at], content[at + 1]
        at += 2
        if size & 0x80:
            digits = size & 0x7F
            if not 1 <= digits <= 4 or at + digits > len(content):
                raise ValueError("a length is not one of DER")
            size = int.from_bytes(content[at : at + digits], "big")
            at += digits
        if at + size > len(content):
            raise ValueError("a value is cut off")
        yield tag, content[at : at + size]
        at += size
