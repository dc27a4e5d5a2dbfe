"""Bytes as sixteen to a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 16
PAGE: Final = 4_096


@dataclass(frozen=True)
class HexLine:
    """``offset`` and ``digits`` are hexadecimal, ``text`` has a dot for what is no printable ASCII."""

    offset: str
    digits: str
    text: str


def lines(data: bytes, start: int) -> list[HexLine]:
    return [_line(data[at : at + WIDTH], start + at) for at in range(0, len(data), WIDTH)]


def _line(part: bytes, offset: int) -> HexLine:
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return HexLine(f"{offset:08x}", part.hex(" "), text)


def offset_of(text: str, size: int) -> int:
    """Where a person wants to be: `4096`, `0x1000`, `1000h`, or `50%`; the beginning of that page, inside the file.

    Raises ValueError for what is no number.
    """
    text = text.strip().lower().replace("_", "").replace(",", "")
    if len(text) > 24:
        raise ValueError("That is no offset.")
    if text.endswith("%"):
        wanted = int(size * min(100.0, float(text[:-1])) / 100)
    elif text.endswith("h"):
        wanted = int(text[:-1], 16)
    else:
        wanted = int(text, 0) if text.startswith("0x") else int(text or "0")
    return max(0, min(wanted, size - 1 if size else 0)) // WIDTH * WIDTH
