"""Event logs: records a second through the bare library, with JSON, and into tables."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import evtx

from artifacts import load
from bench.figures import Absent, Figure, best, took

GROUP = "Event log records"
_HEADER, _CHUNK = 4096, 65536


def figures(folder: Path, recordings: Path, *, chunks: int, rounds: int) -> Iterator[Figure | Absent]:
    """Figures over one log of so many 64 KiB chunks, taken in turn from the recordings."""
    found = sorted(recordings.glob("*.evtx"))
    if not found:
        yield Absent(GROUP, f"no event logs in {recordings}; see --data")
        return
    log = folder / "large.evtx"
    write_log(log, found, chunks)
    count = _read(log, len)
    yield Figure(GROUP, "evtx, records as text", count, "records", best(lambda: _read(log, len), rounds))
    yield Figure(GROUP, "evtx, with json.loads", count, "records", best(lambda: _read(log, json.loads), rounds))
    whole = took(lambda: load([log], folder / "all"))
    yield Figure(GROUP, "artifacts.load, all tables", count, "records", whole)
    one = took(lambda: load([log], folder / "one", only={"DeviceProcessEvents"}))
    yield Figure(GROUP, "artifacts.load, one table asked for", count, "records", one)


def write_log(path: Path, recordings: list[Path], chunks: int) -> None:
    """One event log of many chunks: each is readable by itself, so those of the recordings can be repeated.

    https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc
    """
    pieces = [piece for recording in recordings for piece in _chunks(recording.read_bytes())]
    header = bytearray(recordings[0].read_bytes()[:_HEADER])
    header[42:44] = min(chunks, 0xFFFF).to_bytes(2, "little")
    header[124:128] = zlib.crc32(bytes(header[:120])).to_bytes(4, "little")
    with path.open("wb") as out:
        out.write(header)
        for number in range(chunks):
            out.write(pieces[number % len(pieces)])


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(_HEADER, len(content) - _CHUNK + 1, _CHUNK):
        if content[start : start + 8] == b"ElfChnk\0":
            yield content[start : start + _CHUNK]


def _read(log: Path, use: Callable[[str], object]) -> int:
    """How many records the library gives; what it refuses is passed over."""
    records = evtx.PyEvtxParser(str(log), number_of_threads=1).records_json()
    count = 0
    while True:
        try:
            record = next(records)
        except StopIteration:
            return count
        except RuntimeError:
            continue
        if record:
            use(record["data"])
            count += 1
