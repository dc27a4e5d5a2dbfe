"""What came from a feed, as rows: unpacked under a cap, read by its format, written as the table of one query.

Formats as in https://learn.microsoft.com/en-us/kusto/management/data-ingestion/ingestion-supported-formats
"""

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Final, Literal, cast
from urllib.parse import urlsplit

from kql import Column, FeedUse, Table, write_parquet
from kql.syntax.outside import FEED_FORMATS

MAX_ROWS: Final = 2_000_000
MAX_CELL: Final = 2**20
MAX_RATIO: Final = 200
_JSON: Final = frozenset({"json", "multijson"})
_DELIMITERS: Final = {"csv": ",", "tsv": "\t", "psv": "|", "scsv": ";"}
_PACKED: Final = (".gz", ".zip")


class FeedBroken(Exception):
    """The file cannot be read as its feed says. The message is for a person."""


@dataclass(frozen=True)
class FeedFile:
    """A fetched file: where it lies, the address it came from, its feed's format ("" where none is set) and cap."""

    path: Path
    address: str
    format: str
    max_bytes: int


def format_of(use: FeedUse, file: FeedFile) -> str:
    """What the query says; else what the feed says; else what the name ends in; else CSV, as Kusto does."""
    if use.format or file.format:
        return use.format or file.format
    path = PurePosixPath(urlsplit(file.address).path.lower())
    suffix = PurePosixPath(path.stem).suffix if path.suffix in _PACKED else path.suffix
    return suffix.removeprefix(".") if suffix.removeprefix(".") in FEED_FORMATS else "csv"


@contextmanager
def unpacked(path: Path, cap: int) -> Iterator[BinaryIO]:
    """The file's content, which may be packed by gzip, or a zip of one file. Raises FeedBroken, also while it is read,
    for more than `cap` bytes, or than 200 times the size of the file."""
    cap = min(cap, max(path.stat().st_size, 4096) * MAX_RATIO)
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            if magic[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as inner:
                    yield _buffered(inner, cap)
            elif magic == b"PK\x03\x04":
                with zipfile.ZipFile(raw) as archive, archive.open(_only_member(archive)) as member:
                    yield _buffered(member, cap)
            else:
                yield _buffered(raw, cap)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FeedBroken("The file is packed, and cannot be unpacked.") from error


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [each for each in archive.infolist() if not each.is_dir()]
    if len(files) != 1:
        raise FeedBroken(f"The zip holds {len(files)} files; a feed's holds one.")
    return files[0]


def _buffered(stream: IO[bytes] | gzip.GzipFile, cap: int) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Capped(cast(BinaryIO, stream), cap)))


class _Capped(io.RawIOBase):
    """Reads on until the cap, and no further."""

    def __init__(self, stream: BinaryIO, cap: int) -> None:
        self._stream, self._left, self._cap = stream, cap, cap

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise FeedBroken(f"The file unpacks to more than {self._cap:,} bytes.")
        buffer[: len(data)] = data
        return len(data)


def unpacked_bytes(path: Path, cap: int) -> int:
    """How many bytes the content has. Raises FeedBroken as `unpacked`."""
    total = 0
    with unpacked(path, cap) as stream:
        while chunk := stream.read(2**20):
            total += len(chunk)
    return total


def make_table(use: FeedUse, files: Sequence[FeedFile], folder: Path, name: str) -> tuple[Table, int]:
    """The table of one `externaldata`, in `folder`, and how many rows it has. Raises FeedBroken."""
    formats = {format_of(use, file) for file in files}
    dynamic = formats <= _JSON
    columns = tuple(Column(c.name, "dynamic" if dynamic and c.type == "dynamic" else "string") for c in use.columns)
    lines, out = folder / f"{name}.ndjson", folder / f"{name}.parquet"
    count = 0
    with lines.open("w", encoding="utf-8", errors="replace") as target:
        for file in files:
            for record in records(use, file, columns):
                count += 1
                if count > MAX_ROWS:
                    raise FeedBroken(f"The feed has more than {MAX_ROWS:,} rows.")
                target.write(json.dumps(record, ensure_ascii=False) + "\n")
    write_parquet(lines, columns, out)
    lines.unlink()
    return Table(name, (out,), columns=columns, wildcard=False), count


def records(use: FeedUse, file: FeedFile, columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """A file's rows: texts by column, in JSON also what is no text where the column is dynamic. Raises FeedBroken."""
    kind = format_of(use, file)
    if kind not in FEED_FORMATS:
        raise FeedBroken(f"The format {kind} is not read here; there are {', '.join(FEED_FORMATS)}.")
    with unpacked(file.path, file.max_bytes) as stream:
        text = io.TextIOWrapper(stream, encoding=_encoding(stream), errors="replace", newline="")
        rows = _objects(text, kind, columns) if kind in _JSON else _cells(text, kind, columns)
        if use.ignore_first:
            next(rows, None)
        yield from rows


def _encoding(stream: BinaryIO) -> str:
    """Feeds are UTF-8; a byte order mark may say otherwise."""
    mark = cast(io.BufferedReader, stream).peek(2)[:2]
    return "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _cells(text: io.TextIOWrapper, kind: str, columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    names = [column.name for column in columns]
    for number, row in enumerate(_split(text, kind), 1):
        if any(len(cell) > MAX_CELL for cell in row):
            raise FeedBroken(f"Record {number} has a value of more than {MAX_CELL:,} characters.")
        yield dict(zip(names, row, strict=False))


def _split(text: io.TextIOWrapper, kind: str) -> Iterator[list[str]]:
    if kind == "raw":
        yield [text.read(MAX_CELL + 1)]
    elif kind == "txt":
        yield from ([line] for each in _lines(text) if (line := each.rstrip("\r\n")))
    else:
        quoting: Literal[0, 3] = csv.QUOTE_NONE if kind == "tsv" else csv.QUOTE_MINIMAL
        csv.field_size_limit(MAX_CELL)
        try:
            lines = (line.replace("\0", "") for line in _lines(text))
            yield from (row for row in csv.reader(lines, delimiter=_DELIMITERS[kind], quoting=quoting) if row)
        except csv.Error as error:
            raise FeedBroken(f"The file cannot be read as {kind}: {error}.") from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines, none of which may be endless."""
    while line := text.readline(4 * MAX_CELL):
        if len(line) >= 4 * MAX_CELL:
            raise FeedBroken(f"The file has a line of more than {4 * MAX_CELL:,} characters.")
        yield line


def _objects(text: io.TextIOWrapper, kind: str, columns: Sequence[Column]) -> Iterator[dict[str, Any]]:
    try:
        for each in _documents(text, kind):
            if isinstance(each, dict):
                yield {column.name: _value(each.get(column.name), column) for column in columns}
    except (ValueError, RecursionError) as error:
        raise FeedBroken(f"The file cannot be read as {kind}: {str(error)[:200]}.") from error


def _documents(text: io.TextIOWrapper, kind: str) -> Iterator[Any]:
    """`json`: one a line. `multijson`: one after the other, or in arrays, over any number of lines."""
    if kind == "json":
        yield from (json.loads(line) for line in _lines(text) if line.strip())
        return
    whole, decoder, at = text.read(), json.JSONDecoder(), 0
    while at < len(whole):
        if whole[at] in " \t\r\n,\ufeff":
            at += 1
            continue
        found, at = decoder.raw_decode(whole, at)
        yield from found if isinstance(found, list) else (found,)


def _value(value: Any, column: Column) -> Any:
    if column.type == "dynamic" or value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def named_cells(path: Path, cap: int) -> Iterator[dict[str, str]]:
    """The rows of a CSV whose first line names its columns. Raises FeedBroken."""
    with unpacked(path, cap) as stream:
        rows = _split(io.TextIOWrapper(stream, encoding=_encoding(stream), errors="replace", newline=""), "csv")
        names = [name.strip() for name in next(rows, [])]
        yield from (dict(zip(names, row, strict=False)) for row in _checked(rows))


def header_of(path: Path, cap: int) -> list[str]:
    """The names in the first line of a CSV. Raises FeedBroken."""
    with unpacked(path, cap) as stream:
        text = io.TextIOWrapper(stream, encoding=_encoding(stream), errors="replace", newline="")
        return [name.strip() for name in next(_split(text, "csv"), [])]


def _checked(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            raise FeedBroken(f"The table has more than {MAX_ROWS:,} rows.")
        yield row
