"""The zip of DFIR-Script.ps1: its folder of CSVs becomes tables ``DFIR_<file>``, with the quirks its files have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import PurePosixPath
from typing import Any, cast

import yaml

from artifacts.csvfiles import CsvFile
from artifacts.culture import Order, date_order, local_text, read_local
from artifacts.mapping import FOLDER
from artifacts.naming import identifier
from artifacts.rowsets import fitted
from artifacts.spool import Spools
from artifacts.text import TextSource, open_text
from kql.types import Column, KqlType

_ROOT = re.compile(r"(?:\A|[!/])DFIR-(?P<host>[^/!]{1,63})-(?P<day>\d{4}-\d\d-\d\d)(?:\.zip)?(?=[!/])", re.IGNORECASE)
_CSV_FOLDER = "csv results (siem import data)"
_OTHER_CSVS = {"processlist", "uniqueprocesshash"}  # the CSVs outside that folder that it has no twin of
_EXCLUSIONS = re.compile(r"exclusion(path|extension|ipaddress|process)\.txt\Z", re.IGNORECASE)
_KINDS = {"path": "Path", "extension": "Extension", "ipaddress": "IpAddress", "process": "Process"}
_DAY_COLUMNS = ("DeviceName", "CollectedOn", "SourceFile")


@dataclass(frozen=True)
class Shape:
    """How one CSV of the zip is written: see mappings/dfir.yaml."""

    shape: str = "table"
    types: Mapping[str, KqlType] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    optional: str = ""


@dataclass(frozen=True)
class DfirMember:
    """A file of a DFIR zip that becomes rows. ``root`` tells the zips of one load apart."""

    root: str
    host: str
    day: str
    base: str
    kind: str = ""  # of a list of Defender exclusions

    @property
    def table(self) -> str:
        return f"DFIR_{identifier(self.base)}"

    def collected(self) -> date | None:
        try:
            return date.fromisoformat(self.day)
        except ValueError:
            return None


def dfir_member(name: str) -> DfirMember | None:
    """What a member's name says, or None where it is not one of the files that become tables."""
    roots = list(_ROOT.finditer(name))
    if not roots:
        return None
    found = roots[-1]
    path = PurePosixPath(name[found.end() + 1 :].replace("!", "/"))
    base, parent = path.stem, path.parent.name.casefold()
    root, host, day = name[: found.end()], found["host"].lower(), found["day"]
    exclusion = _EXCLUSIONS.match(path.name)
    if exclusion and parent == "defenderexclusions":
        return DfirMember(root, host, day, "DefenderExclusions", _KINDS[exclusion.group(1).lower()])
    if path.suffix.casefold() == ".csv" and (parent == _CSV_FOLDER or base.casefold() in _OTHER_CSVS):
        return DfirMember(root, host, day, base)
    return None


def is_duplicate_csv(name: str) -> bool:
    """A CSV of a DFIR zip that has a twin in the CSV folder."""
    return _ROOT.search(name) is not None and name.lower().endswith(".csv") and dfir_member(name) is None


@cache
def shapes() -> Mapping[str, Shape]:
    document = yaml.safe_load((FOLDER / "dfir.yaml").read_text(encoding="utf-8"))
    return {name.casefold(): _shape(entry) for name, entry in document["files"].items()}


def _shape(entry: Mapping[str, Any]) -> Shape:
    return Shape(
        shape=entry.get("shape", "table"),
        types=cast(Mapping[str, KqlType], entry.get("types", {})),
        dates=tuple(entry.get("dates", ())),
        optional=entry.get("optional", ""),
    )


@dataclass
class DfirFile:
    """One file on its way into its table."""

    member: DfirMember
    name: str
    source: TextSource
    device: str

    def write(self, spools: Spools) -> int:
        """Write the rows; returns how many. Raises CsvBroken where the CSV breaks off."""
        shape = shapes().get(self.member.base.casefold(), Shape())
        orders = self._date_orders(shape)
        typed = {name.casefold(): kind for name, kind in shape.types.items()}
        known = [Column(name, "string") for name in _DAY_COLUMNS]
        known += [Column(name, kind) for name, kind in shape.types.items()]
        known += [Column(f"{name}_Local", "datetime") for name in orders]
        spool = spools.named(self.member.table, "dfir", tuple(known))
        count = 0
        for row in self._rows(shape):
            spool.add(self._typed(row, typed, orders), spools.limits.columns)
            spools.count(1)
            count += 1
        return count

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
            cells[name] = fitted(value, kind) if kind == "string" or isinstance(value, str) else value
        for name, order in orders.items():
            local = read_local(str(row.get(name, "")), order)
            if local is not None:
                cells[f"{name}_Local"] = local_text(local)
        return cells

    def _date_orders(self, shape: Shape) -> dict[str, Order]:
        """The culture of each date column, from a first walk over the file."""
        if not shape.dates:
            return {}
        samples: dict[str, set[str]] = {name: set() for name in shape.dates}
        for row in CsvFile(open_text(self.source.path)).rows():
            for name, seen in samples.items():
                if len(seen) < 20_000 and isinstance(row.get(name), str):
                    seen.add(cast(str, row[name]))
        # what is planned or expires lies after the day of collection: only the past can be held against that day
        past = set().union(
            *(seen for name, seen in samples.items() if not name.startswith(("Next", "Account", "Password")))
        )
        order = date_order(past, collected=self.member.collected())
        return {name: order for name, seen in samples.items() if seen and order is not None}

    def _rows(self, shape: Shape) -> Iterator[Mapping[str, Any]]:
        if shape.shape == "lines" or self.member.kind:
            return self._lines()
        if shape.shape == "squeezed":
            return self._squeezed(shape.optional)
        return CsvFile(self.source).rows()

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        for line in self.source.lines():
            text = line.strip("\ufeff\r\n\t ")
            if text:
                yield {"Kind": self.member.kind or "Unlabelled", "Value": text}

    def _squeezed(self, optional: str) -> Iterator[Mapping[str, Any]]:
        """A text table whose runs of blanks became commas; ``optional`` is the column that some rows lack."""
        header: list[str] = []
        for line in self.source.lines():
            text = line.strip("\ufeff\r\n")
            bare = text.strip(" >,\t")
            if not bare or set(bare) <= set("= ,-"):
                continue
            cells = [cell.strip() for cell in bare.split(",")]
            if not header:
                header = [identifier(cell) for cell in cells]
                continue
            if optional in header and len(cells) < len(header):
                cells.insert(header.index(optional), "")
            row: dict[str, Any] = dict(zip(header, cells, strict=False))
            row["IsCurrent"] = "true" if text.lstrip().startswith(">") else "false"
            yield {**row, "RawLine": text}
