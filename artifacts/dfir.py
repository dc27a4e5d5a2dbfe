"""The zip of DFIR-Script.ps1: its CSVs and printed texts become tables ``DFIR_<file>``, with the quirks its files have.

Which file is what: ``mappings/dfir.yaml``. The script: https://github.com/Bert-JanP/Incident-Response-Powershell
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import PurePosixPath
from typing import Any, cast

import yaml

from artifacts.collected import listings
from artifacts.csvfiles import CsvBroken, CsvFile
from artifacts.culture import Judgement, Order, judged, local_text, read_local
from artifacts.mapping import FOLDER
from artifacts.naming import identifier
from artifacts.rowsets import fitted
from artifacts.spool import Spools
from artifacts.text import TextSource
from kql.types import Column, KqlType

_ROOT = re.compile(r"(?:\A|[!/])DFIR-(?P<host>[^/!]{1,63})-(?P<day>\d{4}-\d\d-\d\d)(?:\.zip)?(?=[!/])", re.IGNORECASE)
_CSV_FOLDER = "csv results (siem import data)"
_OTHER_CSVS = {"processlist", "uniqueprocesshash", "connecteddevices"}  # those outside that folder
_DAY_COLUMNS = ("DeviceName", "CollectedOn", "SourceFile")
# What is planned, expires, or is a build's mark (the link date of a driver) may lie after the day of collection.
_NOT_PAST = ("Next", "Account", "Password", "Link")
_DATES_SEEN = 20_000
_MERGED = 100_000
# Groups of three digits as a culture parts them: comma, point, blank, no-break blank, apostrophe.
_GROUPED = re.compile("-?\\d{1,3}(?:[.,'\u2019\u00a0\u202f ]\\d{3})+\\Z")
_NOT_ADMIN = re.compile(r"N/A: ", re.IGNORECASE)
_WORDS: Mapping[Order, str] = {"ymd": "year, month, day", "mdy": "month, day, year", "dmy": "day, month, year"}
_PRINTED: Mapping[str, Callable[[Iterable[str]], Iterator[Mapping[str, Any]]]] = {
    "blocks": listings.blocks,
    "ruled": listings.ruled,
    "headed": listings.headed,
    "ipconfig": listings.adapters,
}


@dataclass(frozen=True)
class Shape:
    """What one kind of content is: see mappings/dfir.yaml."""

    shape: str = "table"
    types: Mapping[str, KqlType] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    optional: str = ""
    merge: tuple[str, ...] = ()


@dataclass(frozen=True)
class DfirMember:
    """A file of a DFIR zip that becomes rows. ``root`` tells the zips of one load apart; ``base`` names the content,
    which several files may have. ``print`` is how a text is printed, empty for a CSV."""

    root: str
    host: str
    day: str
    base: str
    kind: str = ""  # of a list of Defender exclusions
    print: str = ""
    rank: int = 1

    @property
    def table(self) -> str:
        return f"DFIR_{identifier(self.base)}"

    def collected(self) -> date | None:
        try:
            return date.fromisoformat(self.day)
        except ValueError:
            return None


@dataclass(frozen=True)
class DfirRoot:
    """The collection that a member belongs to: the name up to its folder, the device, and the path below."""

    root: str
    host: str
    day: str
    path: str


def dfir_root(name: str) -> DfirRoot | None:
    """The DFIR collection that a member's name puts it into, if any."""
    roots = list(_ROOT.finditer(name))
    if not roots:
        return None
    found = roots[-1]
    return DfirRoot(name[: found.end()], found["host"].lower(), found["day"], name[found.end() + 1 :].replace("!", "/"))


def dfir_member(name: str) -> DfirMember | None:
    """What a member's name says, or None where it is not one of the files that become tables."""
    root = dfir_root(name)
    if root is None:
        return None
    where = (root.root, root.host, root.day)
    text = _texts().get(root.path.casefold())
    if text is not None:
        return DfirMember(*where, text["table"], text.get("kind", ""), text.get("print", ""), rank=2)
    path = PurePosixPath(root.path)
    if path.suffix.casefold() != ".csv":
        return None
    if path.parent.name.casefold() == _CSV_FOLDER:
        return DfirMember(*where, path.stem, rank=3 if path.stem.casefold() in _told_by_text() else 1)
    return DfirMember(*where, path.stem, rank=2) if path.stem.casefold() in _OTHER_CSVS else None


def reading_rank(name: str) -> int:
    """When a file of a collection is read: event logs first, for they know the full name of the device that other
    files call by its short one; then CSVs, whose dates settle the device's culture; then texts, and last those CSVs
    whose content a text tells better."""
    if name.lower().endswith(".evtx"):
        return 0
    found = dfir_member(name.replace("\\", "/"))
    return found.rank if found else 4


def order_words(order: Order) -> str:
    """An order of dates for people."""
    return _WORDS[order]


@cache
def _document() -> Mapping[str, Any]:
    return cast(Mapping[str, Any], yaml.safe_load((FOLDER / "dfir.yaml").read_text(encoding="utf-8")))


@cache
def _texts() -> Mapping[str, Mapping[str, Any]]:
    return {path.casefold(): entry for path, entry in _document()["texts"].items()}


@cache
def _told_by_text() -> frozenset[str]:
    return frozenset(str(entry["table"]).casefold() for entry in _texts().values() if entry.get("first"))


@cache
def shapes() -> Mapping[str, Shape]:
    """The shapes by content, without case."""
    return {name.casefold(): _shape(entry) for name, entry in _document()["files"].items()}


def _shape(entry: Mapping[str, Any]) -> Shape:
    return Shape(
        shape=entry.get("shape", "table"),
        types=cast(Mapping[str, KqlType], entry.get("types", {})),
        dates=tuple(entry.get("dates", ())),
        optional=entry.get("optional", ""),
        merge=tuple(entry.get("merge", ())),
    )


@dataclass
class Twins:
    """What was read of the collections of one load, so that the same content is not read twice.

    ``orders`` is the order of dates that a collection's files settled: one device has one culture.
    """

    filled: set[tuple[str, str]] = field(default_factory=set)
    merged: dict[tuple[str, str], set[tuple[Any, ...]]] = field(default_factory=dict)
    orders: dict[str, tuple[Order, str]] = field(default_factory=dict)

    def superfluous(self, member: DfirMember) -> bool:
        """Whether another file with this content had rows, and nothing is to be had from a second one."""
        content = (member.root, member.base.casefold())
        merges = shapes().get(content[1], Shape()).merge
        return content in self.filled and not merges

    def fresh(self, member: DfirMember, row: Mapping[str, Any], merge: tuple[str, ...]) -> bool:
        """Whether no file read before had this row; True where nothing is compared."""
        if not merge:
            return True
        seen = self.merged.setdefault((member.root, member.base.casefold()), set())
        key = tuple(row.get(name) for name in merge)
        if key in seen:
            return False
        if len(seen) < _MERGED:
            seen.add(key)
        return True


@dataclass
class DfirFile:
    """One file on its way into its table. ``notes`` and ``problems`` are code and sentence, known after ``write``."""

    member: DfirMember
    name: str
    device: str
    open: Callable[[], TextSource]
    twins: Twins
    notes: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0
    _refused: str = ""

    def write(self, source: TextSource, spools: Spools) -> None:
        """Write the rows of ``source``, counted in ``count``. ``open`` gives the same text again, for a walk before.

        Raises CsvBroken where the CSV breaks off.
        """
        shape = shapes().get(self.member.base.casefold(), Shape())
        orders = self._date_orders(shape)
        typed = {name.casefold(): kind for name, kind in shape.types.items()}
        known = [Column(name, "string") for name in _DAY_COLUMNS]
        known += [Column(name, kind) for name, kind in shape.types.items()]
        known += [Column(f"{name}_Local", "datetime") for name in orders]
        spool = spools.named(self.member.table, "dfir", tuple(known))
        content = (self.member.root, self.member.base.casefold())
        for row in self._rows(source, shape):
            if not self.twins.fresh(self.member, row, shape.merge):
                continue
            spool.add(self._typed(row, typed, orders), spools.limits.columns)
            self.count += 1
            self.twins.filled.add(content)
            spools.count(1)
        if self._refused:
            self.problems.append(("dfir.admin", f"the script could not collect this: {self._refused}"))

    def _typed(
        self, row: Mapping[str, Any], typed: Mapping[str, KqlType], orders: Mapping[str, Order]
    ) -> dict[str, Any]:
        cells: dict[str, Any] = {
            "DeviceName": self.device,
            "CollectedOn": self.member.day,
            "SourceFile": self.name,
        }
        for name, value in row.items():
            kind = typed.get(name.casefold(), "string")
            if kind in ("int", "long") and isinstance(value, str) and _GROUPED.match(value.strip()):
                value = re.sub(r"[^\d-]", "", value)
            cells[name] = fitted(value, kind) if kind == "string" or isinstance(value, str) else value
        for name, order in orders.items():
            local = read_local(str(row.get(name, "")), order)
            if local is not None:
                cells[f"{name}_Local"] = local_text(local)
        return cells

    def _date_orders(self, shape: Shape) -> dict[str, Order]:
        """The culture of the date columns, from a first walk over the file; it is noted, with the reason."""
        if not shape.dates:
            return {}
        samples: dict[str, set[str]] = {name: set() for name in shape.dates}
        with suppress(CsvBroken):  # the reading proper says it
            for row in self._rows(self.open(), shape):
                for name, seen in samples.items():
                    if len(seen) < _DATES_SEEN and isinstance(row.get(name), str):
                        seen.add(cast(str, row[name]))
        if not any(samples.values()):
            return {}
        past = set().union(*(seen for name, seen in samples.items() if not name.startswith(_NOT_PAST)))
        found = judged(past, collected=self.member.collected()) if past else judged(set().union(*samples.values()))
        order = self._settled(found, sorted(name for name, seen in samples.items() if seen))
        return {name: order for name, seen in samples.items() if seen} if order is not None else {}

    def _settled(self, found: Judgement, columns: list[str]) -> Order | None:
        order, why = found.order, found.why
        if order is None and self.member.root in self.twins.orders:
            order, other = self.twins.orders[self.member.root]
            why = f"as in {other} of the same device"
        names = ", ".join(columns)
        if order is None:
            self.problems.append(("dfir.culture", f"{names}: day and month cannot be told apart ({why}): text only"))
            return None
        self.twins.orders.setdefault(self.member.root, (order, self.member.base))
        self.notes.append(
            (
                "note.culture",
                f"{names} read as {order_words(order)}: {why}. Local time of the device, its zone is not said",
            )
        )
        return order

    def _rows(self, source: TextSource, shape: Shape) -> Iterator[Mapping[str, Any]]:
        if self.member.print in _PRINTED:
            return _PRINTED[self.member.print](source.lines())
        if shape.shape == "run_keys":
            return run_keys(listings.blocks(source.lines()) if self.member.print else CsvFile(source).rows())
        if shape.shape == "lines":
            return self._lines(source)
        if shape.shape.startswith("squeezed"):
            return squeezed(source.lines(), shape.optional, ruler=shape.shape == "squeezed_ruled")
        return CsvFile(source).rows()

    def _lines(self, source: TextSource) -> Iterator[Mapping[str, Any]]:
        for line in source.lines():
            text = line.strip("\ufeff\r\n\t ")
            if _NOT_ADMIN.match(text):
                self._refused = text[:200]
            elif text:
                yield {"Kind": self.member.kind or "Unlabelled", "Value": text}


def run_keys(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Registry keys that have a column per value: a row per value, under the names of Microsoft's registry table."""
    for row in rows:
        key = str(row.get("PSPath", "")).rpartition("::")[2]
        for name, value in row.items():
            if name not in ("PSPath", "PSParentPath", "PSChildName", "PSDrive", "PSProvider") and value:
                yield {"RegistryKey": key, "RegistryValueName": name, "RegistryValueData": value}


def squeezed(lines: Iterable[str], optional: str, *, ruler: bool) -> Iterator[Mapping[str, Any]]:
    """A text table whose runs of blanks became commas; ``optional`` is the column that some rows lack.

    With ``ruler`` the headings are the line above ``====,====``, and lines before them are no rows.
    """
    header: list[str] = []
    above = ""
    for line in lines:
        text = line.strip("\ufeff\r\n")
        bare = text.strip(" >,\t")
        if not bare:
            continue
        if set(bare) <= set("= ,-"):
            if ruler and above:
                header, above = [identifier(cell) for cell in above.split(",")], ""
            continue
        if not header:
            if ruler:
                above = bare
            else:
                header = [identifier(cell) for cell in bare.split(",")]
            continue
        cells = [cell.strip() for cell in bare.split(",")]
        if optional in header and len(cells) < len(header):
            cells.insert(header.index(optional), "")
        row: dict[str, Any] = dict(zip(header, cells, strict=False))
        row["IsCurrent"] = "true" if text.lstrip().startswith(">") else "false"
        yield {**row, "RawLine": text}
