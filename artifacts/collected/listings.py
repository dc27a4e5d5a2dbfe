"""Text that programs printed for people, back into rows: lists, ruled tables, tables under their headings.

``Format-List`` prints blocks of ``Key : value`` with the colons in one column; ``Format-Table``, driverquery and
openfiles print a ruler below the headings; ``query user`` and qwinsta print headings alone and leave cells out.
https://learn.microsoft.com/en-us/powershell/module/microsoft.powershell.utility/format-list
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from artifacts.naming import column_name, identifier

Row = dict[str, object]

_RULER = re.compile(r"\s*[=-]+(?: +[=-]+)*\s*\Z")
_RUN = re.compile(r"[=-]+")
_CELL = re.compile(r"\S+(?: \S+)*")
# Widths at which hosts break a line: 80 and 120 columns, the last of them sometimes left free.
_BROKEN_AT = (79, 80, 119, 120)
_VALUE = 1 << 20
_COLUMNS = 500


def plain_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines without their ends and without a byte-order mark."""
    for line in lines:
        yield line.rstrip("\r\n").lstrip("\ufeff")


@dataclass
class _Block:
    """One list block on its way: where its colons stand, and its values so far."""

    colon: int = -1
    row: dict[str, str] = field(default_factory=dict)
    key: str = ""
    blanks: int = 0
    last: int = 0

    def begins(self, line: str) -> bool:
        """Take a line that begins a value; False where it is none."""
        at = line.find(" : ") if self.colon < 0 else self.colon
        if at < 0 and line.endswith(" :"):
            at = len(line) - 2
        if at <= 0 or line[:1] in ("", " ", "\t") or not f"{line} ".startswith(" : ", at):
            return False
        if " : " in line[:at]:
            return False
        self.colon, self.key = at, column_name(line[:at], len(self.row) + 1)
        self.row.setdefault(self.key, line[at + 3 :])
        self.blanks, self.last = 0, len(line)
        return True

    def goes_on(self, line: str) -> None:
        """Take a line that belongs to the value before: broken by the host's width, or by the value itself."""
        indent = self.colon + 3
        more = line[indent:] if not line[:indent].strip() else line.strip()
        value = self.row[self.key]
        if len(value) < _VALUE:
            broken = self.last in _BROKEN_AT and not self.blanks
            self.row[self.key] = value + ("" if broken else "\n" * (1 + self.blanks)) + more
        self.blanks, self.last = 0, len(line)


def blocks(lines: Iterable[str]) -> Iterator[Row]:
    """The blocks of a printed list."""
    block = _Block()
    for line in plain_lines(lines):
        if not line.strip():
            block.blanks += 1
            continue
        indented = line[:1] in (" ", "\t")
        if block.key and indented:
            block.goes_on(line)
            continue
        if block.row and (block.blanks or len(block.row) >= _COLUMNS):
            yield from _whole(block)
            block = _Block()
        if not block.begins(line) and block.key:
            block.goes_on(line)
    yield from _whole(block)


def _whole(block: _Block) -> Iterator[Row]:
    row: Row = {name: value.strip() for name, value in block.row.items() if value.strip()}
    if row:
        yield row


def ruled(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of tables whose headings are underlined; what stands before the headings is no row.

    A table ends with a blank line; another may follow.
    """
    heading, columns = "", []
    for line in plain_lines(lines):
        if _RULER.match(line) and heading:
            columns = _spans(line, heading)
        elif not line.strip():
            columns, heading = [], ""
        elif columns:
            row: Row = {name: cell for name, cell in _cut(line, columns) if cell}
            if row:
                yield row
        else:
            heading = line


_Span = tuple[str, int, int]


def _spans(ruler: str, heading: str) -> list[_Span]:
    runs = [(run.start(), run.end()) for run in _RUN.finditer(ruler)][:_COLUMNS]
    spans = []
    for number, (start, end) in enumerate(runs):
        until = runs[number + 1][0] if number + 1 < len(runs) else len(heading) + 1
        spans.append((identifier(heading[start:until].strip()) or f"Column{number + 1}", start, end))
    return spans


def _cut(line: str, columns: list[_Span]) -> Iterator[tuple[str, str]]:
    """Cells at the ruler's places; a number that is wider than its heading reaches out to the left of it."""
    at = 0
    for number, (name, start, _) in enumerate(columns):
        until = len(line)
        if number + 1 < len(columns):
            until = columns[number + 1][1]
            while until - 1 > start and until <= len(line) and line[until - 1] != " ":
                until -= 1
            if until - 1 == start:
                until = columns[number + 1][1]
        yield name, line[at:until].strip()
        at = until


def headed(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a table without a ruler, where cells are missing: each cell belongs to the heading it stands under.

    ``>`` before a row marks the session that asked.
    """
    headings: list[_Span] = []
    for line in plain_lines(lines):
        if not line.strip():
            continue
        cells = [(found.group(), found.start(), found.end()) for found in _CELL.finditer(line.replace(">", " ", 1))]
        if not headings:
            headings = [(identifier(text), start, end) for text, start, end in cells][:_COLUMNS]
            continue
        row: Row = {}
        for text, start, end in cells:
            name = min(headings, key=lambda span: (-_overlap(span, start, end), _gap(span, start, end)))[0]
            row[name] = f"{row[name]} {text}" if name in row else text
        yield {**row, "IsCurrent": "true" if line.lstrip().startswith(">") else "false", "RawLine": line}


def _overlap(span: _Span, start: int, end: int) -> int:
    return max(0, min(span[2], end) - max(span[1], start))


def _gap(span: _Span, start: int, end: int) -> int:
    return max(span[1] - end, start - span[2], 0)


_DOTTED = re.compile(r"\s+(?P<name>[^.:]+?)[ .]*(?: \.)+\s*:\s?(?P<value>.*)\Z")


def adapters(lines: Iterable[str]) -> Iterator[Row]:
    """``ipconfig /all``: a row per value, with the adapter it belongs to; a property may have several values."""
    section = name = ""
    for line in plain_lines(lines):
        if not line.strip():
            continue
        found = _DOTTED.match(line)
        if not line[0].isspace():
            section, name = line.strip().rstrip(":").strip(), ""
        elif found is not None:
            name = found["name"].strip()
            if found["value"].strip():
                yield {"Adapter": section, "Property": name, "Value": found["value"].strip()}
        elif name:
            yield {"Adapter": section, "Property": name, "Value": line.strip()}


def resolved(lines: Iterable[str]) -> Iterator[Row]:
    """``ipconfig /displaydns``: a row per record. Lines of a name and an address alone are taken too."""
    record: dict[str, object] = {}
    for line in plain_lines(lines):
        found = _DOTTED.match(line)
        if found is not None:
            name = identifier(found["name"].strip())
            if name in record:  # the next record of the same name
                yield record
                record = {}
            record[name] = found["value"].strip()
            continue
        if record and not line.strip():
            yield record
            record = {}
        pair = re.fullmatch(r"\s*(\S+\.\S+) {2,}(\S+)\s*", line)
        if pair and not set(line.strip()) <= {"-"}:
            yield {"Record_Name": pair.group(1), "Data": pair.group(2)}
    if record:
        yield record


_ARP_HEAD = re.compile(r"\S.*?:\s*(?P<address>[0-9a-fA-F.:]+) --- (?P<index>0x[0-9a-fA-F]+)\s*\Z")
_ARP_ROW = re.compile(
    r"\s+(?P<ip>\d{1,3}(?:\.\d{1,3}){3})\s+(?P<mac>(?:[0-9a-fA-F]{2}-){5}[0-9a-fA-F]{2})?\s*(?P<kind>\S+)\s*\Z"
)


def neighbours(lines: Iterable[str]) -> Iterator[Row]:
    """``arp -a``, in whatever language: a row per neighbour of each interface."""
    interface = ""
    for line in plain_lines(lines):
        if head := _ARP_HEAD.match(line):
            interface = head["address"]
        elif row := _ARP_ROW.match(line):
            yield {
                "Interface": interface, "InternetAddress": row["ip"], "PhysicalAddress": row["mac"] or "",
                "Type": row["kind"],
            }  # fmt: skip


_NETSTAT = re.compile(
    r"\s*(?P<protocol>TCP|UDP)\s+(?P<local>\S+)\s+(?P<remote>\S+)(?:\s+(?P<state>[^\W\d]\S*))?(?:\s+(?P<pid>\d+))?\s*\Z"
)
_PROGRAM = re.compile(r"\s*\[(?P<name>[^\]]+)\]\s*\Z")


def sockets(lines: Iterable[str]) -> Iterator[Row]:
    """``netstat -ano``, with ``-b`` the program on the lines below."""
    held: Row | None = None
    for line in plain_lines(lines):
        if found := _NETSTAT.match(line):
            if held is not None:
                yield held
            held = _socket(found)
        elif held is not None and (program := _PROGRAM.match(line)):
            held["ProcessName"] = program["name"]
    if held is not None:
        yield held


def _socket(found: re.Match[str]) -> Row:
    row: Row = {"Protocol": found["protocol"], "State": found["state"] or ""}
    for side in ("local", "remote"):
        address, _, port = found[side].rpartition(":")
        row[f"{side.capitalize()}IP"] = address.strip("[]").partition("%")[0]
        if port.isdigit():
            row[f"{side.capitalize()}Port"] = int(port)
    if found["pid"]:
        row["OwningProcess"] = int(found["pid"])
    return row


_PROPERTY = re.compile(r"(?P<name>\S[^:]{0,60}?)\s*:\s*(?P<value>.*)\Z")


def properties(lines: Iterable[str]) -> Iterator[Row]:
    """``Name: value`` lines, as systeminfo prints them; indented lines are further values of the name above."""
    name = ""
    for line in plain_lines(lines):
        if not line.strip():
            continue
        found = _PROPERTY.match(line)
        if line[0].isspace() and name:
            yield {"Property": name, "Value": line.strip()}
        elif found:
            name = found["name"]
            if found["value"].strip():
                yield {"Property": name, "Value": found["value"].strip()}


def numbered(lines: Iterable[str]) -> Iterator[Row]:
    """Every line that holds something, with its number."""
    for number, line in enumerate(plain_lines(lines), 1):
        if line.strip():
            yield {"LineNumber": number, "Line": line}
