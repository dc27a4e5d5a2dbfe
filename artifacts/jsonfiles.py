"""JSON objects from a file: one a line, an array, or wrapped in an API's reply; streamed, bad lines counted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import ijson

from artifacts.limits import ArtifactError
from artifacts.text import TextSource

# Keys under which APIs and exporters put their rows: Graph hunting and OData, Log Analytics exports, Elasticsearch.
_WRAPPERS = ("results", "Results", "value", "records", "Records", "rows", "hits.hits")


# What stands beside them: https://learn.microsoft.com/en-us/graph/api/security-security-runhuntingquery,
# https://learn.microsoft.com/en-us/defender-endpoint/api/run-advanced-query-api,
# https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search
_ABOUT = frozenset(("schema", "stats", "nextlink", "count", "total", "took", "timed_out", "_shards"))
_COUNTED = 1 << 16
_SUSPICIOUS = 30_000  # more than 64 KiB of the smallest objects hold
_DEEPEST = 1_000
_MARKS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
_WORDS = re.compile(rb'\\.|"|\0|[-+.0-9A-Za-z]+', re.DOTALL)
_UNFINISHED = re.compile(rb"(?:[-+.0-9A-Za-z]+|(?<!\\)(?:\\\\)*\\)\Z")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_LONGEST_WORD = 1 << 12


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
        if self._begins_with_array():
            return "lines" if too_deep(self.source.path) else "item"
        lines = (line for line in self.source.lines() if line.strip())
        first = next(lines, "")
        several = next(lines, None) is not None
        self.source.line = self.source.nuls = self.source.long_lines = 0
        try:
            wrapper = _wrapper_of(_loads(first), several=several)
        except RecursionError:
            return "lines"
        except ValueError:
            return "lines" if too_deep(self.source.path) else self._wrapper()
        return f"{wrapper}.item" if wrapper else "lines"

    def _begins_with_array(self) -> bool:
        """By the first characters: an array is often one line, longer than any that is read as a line."""
        with self.source.path.open("r", encoding=self.source.encoding, errors="replace") as stream:
            while head := stream.read(_COUNTED):
                if text := head.replace("\0", "").lstrip():
                    return text.startswith("[")
        return False

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
            text = line.lstrip("\ufeff").strip()  # files put together keep their marks
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
                for number, item in enumerate(self._items(stream, prefix), 1):
                    yield from self._object(number, item)
                return
            except (ijson.JSONError, ValueError, RecursionError) as error:
                if not _is_odd(error):
                    raise _broken(number, error) from error
        given = number
        with _utf8(self.source) as stream:
            try:
                for number, item in enumerate(self._items(_Mended(stream, self.source), prefix), 1):
                    if number > given:
                        yield from self._object(number, item)
            except (ijson.JSONError, ValueError, RecursionError) as error:
                raise _broken(max(number, given), error) from error

    @staticmethod
    def _items(stream: IO[bytes] | _Mended, prefix: str) -> Iterator[Any]:
        return cast(Iterator[Any], ijson.items(stream, prefix, use_float=True, multiple_values=True))

    def _object(self, number: int, item: Any) -> Iterator[dict[str, Any]]:
        if isinstance(item, dict):
            yield item
        else:
            self._note_bad(number)

    def _note_bad(self, number: int) -> None:
        self.bad += 1
        self.first_bad = self.first_bad or number


def _wrapper_of(document: Any, *, several: bool) -> str:
    """The key under which a line has its rows, or nothing.

    Rows may have a column of such a name. Where more lines follow, or the list is empty, it wraps only if nothing else
    stands beside it than what replies say of themselves.
    """
    if not isinstance(document, dict):
        return ""
    for key in _WRAPPERS:
        outer, _, inner = key.partition(".")
        rows = document.get(outer)
        if inner:
            rows = rows.get(inner) if isinstance(rows, dict) else None
        if isinstance(rows, list) and all(isinstance(item, dict) for item in rows[:5]):
            beside = (name for name in document if name != outer and not name.startswith(("@", "odata.")))
            alone = all(name.casefold() in _ABOUT for name in beside)
            return key if alone or (rows and not several) else ""
    return ""


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


def _broken(number: int, error: Exception) -> JsonBroken:
    return JsonBroken(f"breaks off after {number:,} objects, which are kept: {str(error).splitlines()[0]}")


def _is_odd(error: Exception) -> bool:
    """Whether the parser refused one value, as lines of JSON may have it, and not the form of the file."""
    return any(word in str(error) for word in ("overflow", "invalid char", "malformed number"))


class _Mended:
    """A stream of JSON in which words that a strict parser refuses are texts: NaN, Infinity, and numbers that no 64
    bits hold. NULs are dropped and counted. Much slower than the parser: only for files that it gave up."""

    def __init__(self, stream: IO[bytes], source: TextSource) -> None:
        self._stream = stream
        self._source = source
        self._inside = False
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if size == 0:  # ijson asks once, to see whether bytes come
            return b""
        while chunk := self._stream.read(max(size, _COUNTED)):
            whole = self._rest + chunk
            # What may go on in the next chunk waits for it; a word of endless length does not.
            found = _UNFINISHED.search(whole, max(0, len(whole) - _LONGEST_WORD))
            cut = found.start() if found else len(whole)
            self._rest = whole[cut:]
            if mended := _WORDS.sub(self._word, whole[:cut]):
                return mended
        last, self._rest = self._rest, b""
        return _WORDS.sub(self._word, last)

    def _word(self, found: re.Match[bytes]) -> bytes:
        word = found.group()
        if word == b"\0":
            self._source.nuls += 1
            return b""
        if word == b'"':
            self._inside = not self._inside
        elif not self._inside and word[:1] != b"\\" and not _is_plain(word):
            return b'"' + word + b'"'
        return word


def _is_plain(word: bytes) -> bool:
    """Whether a word outside of texts is one that the parser takes, or that nobody can."""
    if word in (b"NaN", b"Infinity", b"-Infinity"):
        return False
    if not _NUMBER.fullmatch(word):
        return True
    if word.lstrip(b"-").isdigit():
        return len(word) < 19 or (len(word) < 21 and abs(int(word)) < 2**63)
    return math.isfinite(float(word))


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
