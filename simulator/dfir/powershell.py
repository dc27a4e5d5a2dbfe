"""Text as Windows PowerShell 5.1 writes it: three encodings, CRLF, its CSV quoting, its tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)


def utf16(lines: Iterable[str]) -> bytes:
    """`Out-File` without -Encoding: UTF-16LE with BOM."""
    return b"\xff\xfe" + _lines(lines).encode("utf-16-le", "replace")


def utf8_bom(lines: Iterable[str]) -> bytes:
    """`Out-File -Encoding UTF8`: with BOM."""
    return b"\xef\xbb\xbf" + _lines(lines).encode("utf-8", "replace")


def ascii_only(lines: Iterable[str]) -> bytes:
    """`Export-Csv` without -Encoding: ASCII, everything else becomes a question mark."""
    return _lines(lines).encode("ascii", "replace")


def culture_date(moment: datetime) -> str:
    """A local time as an en-US device prints it, without offset."""
    hour = moment.hour % 12 or 12
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment:%M:%S} {moment:%p}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = culture_date(value) if isinstance(value, datetime) else str(value)
    return '"' + text.replace('"', '""') + '"'


def csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """`ConvertTo-Csv`: every field quoted, null empty and bare. Without rows there is no header either."""
    body = [",".join(_cell(row.get(column)) for column in columns) for row in rows]
    return [",".join(f'"{column}"' for column in columns), *body] if body else []


def list_lines(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """`Format-List`: blocks of `Key : value`, the colons in one column."""
    width = max(len(column) for column in columns)
    lines = [""]
    for row in rows:
        for column in columns:
            value = row.get(column)
            text = culture_date(value) if isinstance(value, datetime) else str("" if value is None else value)
            first, *more = text.replace("\r", "").split("\n")
            lines.append(f"{column:<{width}} : {first}")
            lines.extend(" " * (width + 3) + line for line in more)
        lines.append("")
    return lines


def table_lines(columns: Sequence[str], rows: Sequence[Row], width: int = 80) -> list[str]:
    """`Format-Table`, cut to the host's width as Live Response does."""
    sizes = [max(len(column), *(len(str(row.get(column, ""))) for row in rows), 1) for column in columns]
    lines = ["", " ".join(column.ljust(size) for column, size in zip(columns, sizes, strict=True))]
    lines.append(
        " ".join("-" * len(column) + " " * (size - len(column)) for column, size in zip(columns, sizes, strict=True))
    )
    for row in rows:
        lines.append(
            " ".join(str(row.get(column, "")).ljust(size) for column, size in zip(columns, sizes, strict=True))
        )
    return [line[:width].rstrip() for line in lines] + [""]
