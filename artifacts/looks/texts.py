"""The beginning of a text, and the printable strings of anything."""

from __future__ import annotations

import codecs
import heapq
import json
import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from artifacts.looks.shown import visible

Say = Callable[[dict[str, Any]], None]
READ_BYTES: Final = 2 << 20
MOST_LINES: Final = 5_000
SCAN_BYTES: Final = 512 << 20
MOST_STRINGS: Final = 100_000
LONGEST_STRING: Final = 1_000
SHORTEST: Final = 4
_ASCII: Final = re.compile(rb"[\x20-\x7e\t]{4,}")
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e\t]\x00){4,}")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32LE, by its byte order mark"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32BE, by its byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16LE, by its byte order mark"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16BE, by its byte order mark"),
)


def encoding_of(data: bytes) -> tuple[str, str, int]:
    """(codec, in words and how it was told, bytes of the byte order mark) of a text's beginning."""
    for mark, codec, words in _BOMS:
        if data.startswith(mark):
            return codec, words, len(mark)
    even, odd = data[0:4096:2].count(0), data[1:4096:2].count(0)
    pairs = max(1, len(data[:4096]) // 2)
    if odd > pairs * 0.4 and even < pairs * 0.1:
        return "utf-16-le", "UTF-16LE, by its pattern of zeros", 0
    if even > pairs * 0.4 and odd < pairs * 0.1:
        return "utf-16-be", "UTF-16BE, by its pattern of zeros", 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return "cp1252", "Windows-1252, assumed: it is no UTF-8", 0
    return "utf-8", "ASCII" if data.isascii() else "UTF-8", 0


def text(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """The first lines, with what is invisible made visible."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        data = raw.read(READ_BYTES)
    codec, words, skip = encoding_of(data)
    decoded = codecs.getincrementaldecoder(codec)("replace").decode(data[skip:])
    found = re.split(r"\r\n|\n|\r", decoded, maxsplit=MOST_LINES)
    lines = [visible(line) for line in found[:MOST_LINES]]
    return {
        "encoding": words,
        "lines": lines,
        "cut": size > READ_BYTES or len(found) > MOST_LINES,
        "binary": data.count(0) > len(data) // 20 and not codec.startswith("utf-16"),
    }


def strings(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """Into ``lines.ndjson``: [offset, "a" or "w", text, whole length], in the order of the file."""
    size, count = path.stat().st_size, 0
    with (out / "lines.ndjson").open("w", encoding="utf-8") as lines:
        for found in found_strings(path, min(size, SCAN_BYTES)):
            if count >= MOST_STRINGS:
                break
            lines.write(json.dumps(found) + "\n")
            count += 1
            if count % 10_000 == 0:
                say({"strings": count, "offset": found[0]})
        else:
            return {"count": count, "cut": size > SCAN_BYTES, "scanned": min(size, SCAN_BYTES)}
    return {"count": count, "cut": True, "scanned": found[0]}


def found_strings(path: Path, length: int) -> Iterator[list[Any]]:
    if not length:
        return
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), length, access=mmap.ACCESS_READ) as data:
        narrow = ((m.start(), "a", m.end()) for m in _ASCII.finditer(data))
        wide = ((m.start(), "w", m.end()) for m in _WIDE.finditer(data))
        for start, kind, end in heapq.merge(narrow, wide):
            step = 1 if kind == "a" else 2
            part = data[start : min(end, start + LONGEST_STRING * step)]
            yield [start, kind, part[::step].decode("ascii"), (end - start) // step]
