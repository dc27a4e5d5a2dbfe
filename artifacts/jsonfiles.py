"""JSON objects from a file: one a line, an array, or wrapped in an API's reply; streamed, bad lines counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ijson

from artifacts.limits import ArtifactError
from artifacts.text import TextSource

# Keys under which APIs and exporters put their rows: Graph hunting and OData, Log Analytics exports, Elasticsearch.
_WRAPPERS = ("results", "Results", "value", "records", "Records", "rows", "hits.hits")


_COUNTED = 1 << 16
_SUSPICIOUS = 30_000  # more than 64 KiB of the smallest objects hold
_DEEPEST = 1_000
_MARKS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


class JsonBroken(ArtifactError):
    """The JSON cannot be read further; what stood before is given."""

    code = "json.broken"


@dataclass
class JsonFile:
    """The objects of one JSON file. ``bad`` counts lines or items that are none, ``first_bad`` is the first of them."""

    source: TextSource
    bad: int = 0
    first_bad: int = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Object by object. Raises JsonBroken where an array or a wrapped reply breaks off."""
        shape = self._shape()
        if shape == "lines":
            yield from self._lines()
        else:
            yield from self._streamed(shape)

    def _shape(self) -> str:
        """``lines``, or the path at which ijson finds the objects."""
        first = next((line for line in self.source.lines() if line.strip()), "")
        self.source.line = self.source.nuls = self.source.long_lines = 0
        if first.lstrip().startswith("["):
            return "lines" if too_deep(self.source.path) else "item"
        try:
            parsed = _loads(first)
        except RecursionError:
            return "lines"
        except ValueError:
            return "lines" if too_deep(self.source.path) else self._wrapper()
        if isinstance(parsed, dict):
            for key in _WRAPPERS:
                if isinstance(parsed.get(key), list) and all(isinstance(item, dict) for item in parsed[key][:5]):
                    return f"{key}.item"
        return "lines"

    def _wrapper(self) -> str:
        """The rows' path in an object that spans lines; ``""`` (whole objects, one after the other) if it has none."""
        with _utf8(self.source) as stream:
            try:
                for prefix, event, _ in ijson.parse(stream, multiple_values=True, buf_size=1 << 16):
                    if event == "start_array" and prefix in _WRAPPERS:
                        return f"{prefix}.item"
                    if event == "end_map" and prefix == "":
                        return ""
            except (ijson.JSONError, ValueError, RecursionError):
                return "lines"
        return "lines"

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.source.lines():
            text = line.strip()
            if not text:
                continue
            try:
                row = _loads(text)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield row
            else:
                self._note_bad(self.source.line)

    def _streamed(self, prefix: str) -> Iterator[dict[str, Any]]:
        number = 0
        with _utf8(self.source) as stream:
            try:
                for number, item in enumerate(ijson.items(stream, prefix, use_float=True, multiple_values=True), 1):
                    if isinstance(item, dict):
                        yield item
                    else:
                        self._note_bad(number)
            except (ijson.JSONError, ValueError, RecursionError) as error:
                raise JsonBroken(f"breaks off after {number:,} objects, which are kept: {error}") from error

    def _note_bad(self, number: int) -> None:
        self.bad += 1
        self.first_bad = self.first_bad or number


def too_deep(path: Path) -> bool:
    """Whether values nest deeper than anybody's data: ijson names each value by its whole path, so that a file of a few
    hundred thousand brackets alone would keep it busy for hours.

    Brackets are counted first as if there were no texts, which is quick; texts are skipped only where that looks wrong.
    """
    balance = 0
    with path.open("rb") as raw:
        while chunk := raw.read(_COUNTED):
            opened = chunk.count(b"[") + chunk.count(b"{")
            if balance + opened > _SUSPICIOUS:
                return _depth(path) > _DEEPEST
            balance += opened - chunk.count(b"]") - chunk.count(b"}")
    return False


def _depth(path: Path) -> int:
    """How deep values nest, as far as ``_DEEPEST`` and a little more."""
    depth = deepest = 0
    inside = False
    with path.open("rb") as raw:
        while chunk := raw.read(_COUNTED):
            for found in _MARKS.finditer(chunk):
                mark = found.group()
                if mark == b'"':
                    inside = not inside
                elif not inside and len(mark) == 1:
                    depth += 1 if mark in b"[{" else -1
                    deepest = max(deepest, depth)
            if deepest > _DEEPEST:
                break
    return deepest


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=str)


def _utf8(source: TextSource) -> IO[bytes]:
    if source.encoding == "utf-8":
        return source.path.open("rb")
    return _Recoded(source.path, source.encoding)  # type: ignore[return-value]


class _Recoded:
    """A text file in any encoding, read as UTF-8 bytes."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._text = path.open("r", encoding=encoding, errors="replace", newline="")

    def read(self, size: int = -1) -> bytes:
        return self._text.read(size if size >= 0 else None).encode("utf-8", "replace")

    def __enter__(self) -> _Recoded:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()
