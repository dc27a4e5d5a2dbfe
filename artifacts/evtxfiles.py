"""EVTX files through the Rust parser, which skips what it cannot read; here it is counted and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import evtx

from artifacts.limits import ArtifactError

# https://github.com/libyal/libevtx/blob/main/documentation/Windows%20XML%20Event%20Log%20(EVTX).asciidoc
_HEADER = 4096
_CHUNK = 65536
_CHUNK_COUNT_AT = 42
_MAX_ERRORS = 100_000


class EvtxBroken(ArtifactError):
    """The file is no event log, or its header is lost."""

    code = "evtx.header"


@dataclass
class EvtxFile:
    """The records of one event log.

    ``chunks_bad`` and ``records_bad`` count what could not be read, ``examples`` holds the first few reasons.
    ``missing_chunks`` is how many of the chunks that the header promises are not in the file.
    """

    path: Path
    scratch: Path
    records_bad: int = 0
    chunks_bad: int = 0
    missing_chunks: int = 0
    cut: bool = False
    examples: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Record by record as ``{"Event": ...}``. Raises EvtxBroken where there is no event log."""
        path = self._whole_chunks()
        try:
            yield from self._records(path)
        finally:
            if path != self.path:
                path.unlink(missing_ok=True)

    def _records(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            records = evtx.PyEvtxParser(str(path), number_of_threads=1).records_json()
        except (RuntimeError, OSError) as error:
            raise EvtxBroken(f"not a readable event log: {error}") from error
        while self.records_bad + self.chunks_bad < _MAX_ERRORS:
            try:
                record = next(records)
            except StopIteration:
                return
            except RuntimeError as error:
                self._note(str(error))
                continue
            document = self._parsed(record["data"] if record else "")
            if document is not None:
                yield document

    def _parsed(self, text: str) -> dict[str, Any] | None:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            self._note(f"record is not JSON: {error}")
            return None
        if isinstance(document, dict) and isinstance(document.get("Event"), dict):
            return document
        self._note("record holds no event")
        return None

    def _note(self, reason: str) -> None:
        if "chunk" in reason.split(":", 1)[0]:
            self.chunks_bad += 1
        else:
            self.records_bad += 1
        if len(self.examples) < 3:
            self.examples.append(reason[:300])

    def _whole_chunks(self) -> Path:
        """The file, or a copy filled up with zeros: the parser drops a last chunk that is not 64 KiB long."""
        size = self.path.stat().st_size
        if size < _HEADER:
            return self.path
        with self.path.open("rb") as raw:
            raw.seek(_CHUNK_COUNT_AT)
            promised = int.from_bytes(raw.read(2), "little")
        self.missing_chunks = max(0, promised - (size - _HEADER + _CHUNK - 1) // _CHUNK)
        surplus = (size - _HEADER) % _CHUNK
        if not surplus:
            return self.path
        self.cut = True
        copy = self.scratch / "whole.evtx"
        shutil.copyfile(self.path, copy)
        with copy.open("ab") as out:
            out.write(bytes(_CHUNK - surplus))
        return copy
