"""Snapshots of a device as the case's tables hold them, two of them compared, and a difference taken into the case."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from artifacts import comparing
from artifacts.comparing import BY_NAME, CATEGORIES, Category, Compared, Difference, Thing
from ircase import grid
from ircase.models import Case, CaseTable, Event, Indicator, User
from ircase.recognition import recognise
from ircase.services.analysis import findings, tablerows
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews
from kql.types import parse_datetime
from liveresponse.services.devices import KnownDevice

MOST_ROWS: Final = 20_000
"""Of one table in one comparison; that there are more is said."""
_TABLES: Final = 120
_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Snapshot:
    """One table with the things of one category, and when they were so. `family` says who listed them: lists of two
    families hold different things, so that only what both tell is compared."""

    table: CaseTable
    at: datetime
    family: str

    @property
    def key(self) -> str:
        return str(self.table.evidence.uuid)

    @property
    def is_full(self) -> bool:
        return self.table.row_count <= MOST_ROWS


@dataclass(frozen=True)
class Pair:
    """A category's two snapshots, and all there are to choose from."""

    category: Category
    choices: tuple[Snapshot, ...]
    before: Snapshot | None
    after: Snapshot | None

    @property
    def mixed(self) -> bool:
        return bool(self.before and self.after and self.before.family != self.after.family)


def snapshots_of(case: Case, device: KnownDevice) -> dict[str, tuple[Snapshot, ...]]:
    """The device's snapshots by category, the oldest first. Tables of other devices are left out by their first row."""
    found: dict[str, list[Snapshot]] = {}
    rows = CaseTable.objects.filter(case=case, name__in=comparing.TABLES, row_count__gt=0).select_related("evidence")
    for table in rows.order_by("-evidence__number", "name")[:_TABLES]:
        table.case = table.evidence.case = case
        snapshot = _snapshot(table, device)
        for category in CATEGORIES if snapshot else ():
            if snapshot and table.name in category.readers:
                found.setdefault(category.name, []).append(snapshot)
    return {name: tuple(sorted(each, key=lambda one: (one.at, one.table.pk))) for name, each in found.items()}


def _snapshot(table: CaseTable, device: KnownDevice) -> Snapshot | None:
    collected = str(table.evidence.manifest.get("device") or "")
    if collected and not device.is_called(collected):
        return None
    first = next(_rows(table, 1), None)
    if first is None or not device.is_called(str(first.get("DeviceName") or collected)):
        return None
    family = "DFIR script" if table.name.startswith("DFIR_") else "Snapshot"
    return Snapshot(table, _moment(first.get("SnapshotTime")) or table.evidence.sealed_at, family)


def _moment(value: Any) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _rows(table: CaseTable, most: int) -> Iterator[dict[str, Any]]:
    """The table's first rows by their columns; none where the file is gone."""
    columns = columns_of(table)
    names = [column.name for column in columns]
    try:
        for row in islice(grid.stream(table.path, columns, seconds=_SECONDS), most):
            yield dict(zip(names, row.cells, strict=True))
    except grid.GridError:
        return


def pair(snapshots: Mapping[str, tuple[Snapshot, ...]], category: str, before: str = "", after: str = "") -> Pair:
    """The two that a person chose by their exhibits; else the last and the one before it of the same family."""
    choices = snapshots.get(category, ())
    last = next((one for one in choices if one.key == after), choices[-1] if choices else None)
    earlier = [one for one in choices if last and one.at <= last.at and one is not last]
    alike = [one for one in earlier if last and one.family == last.family]
    chosen = next((one for one in choices if one.key == before), None)
    return Pair(BY_NAME[category], choices, chosen or next(iter(reversed(alike or earlier)), None), last)


def compared(found: Pair, device: KnownDevice, actor: User) -> Compared | None:
    """The comparison; None where there are not two. Custody knows that the rows were looked at."""
    if found.before is None or found.after is None:
        return None
    sides = []
    for side in (found.before, found.after):
        previews.note(side.table.evidence, actor=actor, what=f"table {side.table.name}")
        sides.append(_things(found.category, side, device))
    return comparing.compare(*sides)


def _things(category: Category, side: Snapshot, device: KnownDevice) -> dict[tuple[str, ...], Thing]:
    rows = _rows(side.table, MOST_ROWS)
    # A row of another device keeps its place, so that the numbers stay those of the table.
    mine = (row if device.is_called(str(row.get("DeviceName") or device.title)) else {} for row in rows)
    return comparing.things(category, side.table.name, mine)


def digest_of(thing: Thing) -> str:
    """What names a thing in a form."""
    return hashlib.sha256("\x1f".join(thing.key).encode("utf-8", "replace")).hexdigest()


def difference(found: Compared, digest: str) -> Difference:
    """The difference that a form names. Raises ValidationError where it is none of these."""
    for one in found.all:
        if digest_of(one.thing) == digest:
            return one
    raise ValidationError("The two snapshots do not differ in that any more. Compare them again.")


_WORDS: Final = {"new": "New", "gone": "Gone", "changed": "Changed"}
_TECHNIQUES: Final = {"tasks": "T1053.005", "services": "T1543.003"}


@transaction.atomic
def pin_event(*, case: Case, actor: User, found: Pair, one: Difference) -> Event:
    """The difference on the timeline, at the time of the snapshot that shows it, with the row it was read from."""
    side = found.before if one.what == "gone" else found.after
    latest = found.after
    assert side is not None
    assert latest is not None
    number = one.thing.number
    title = f"{_WORDS[one.what]} since the last snapshot: {found.category.title.lower()}, {one.thing.title}"
    return findings.add_event(
        case=case,
        actor=actor,
        at=latest.at,
        title=title[:300],
        description=_described(one),
        technique=_TECHNIQUES.get(found.category.name, "") if one.what == "new" else "",
        source=side.table.name,
        row=tablerows.row_of(side.table, number),
        provenance=tablerows.provenance(side.table, number),
    )


def _described(one: Difference) -> str:
    lines = [f"{name}: {value}" for name, value in {**one.thing.facts, **one.thing.shown}.items() if value]
    lines += [f"{name} was {before}, is {after}" for name, (before, after) in one.changes.items()]
    return "\n".join(lines)[:4000]


@transaction.atomic
def pin_indicator(*, case: Case, actor: User, found: Pair, one: Difference) -> tuple[Indicator, bool]:
    """What to look for elsewhere because of the difference, and whether it is new. Raises ValidationError."""
    side = found.before if one.what == "gone" else found.after
    assert side is not None
    kind, value = indicator_of(found.category.name, one.thing)
    return findings.add_indicator(
        case=case,
        actor=actor,
        kind=kind,
        value=value[:2048],
        description=f"{_WORDS[one.what]} on the device: {found.category.title.lower()}, {one.thing.title}"[:1000],
        first_seen=side.at,
        last_seen=side.at,
        provenance=tablerows.provenance(side.table, one.thing.number),
    )


def indicator_of(category: str, thing: Thing) -> tuple[str, str]:
    """A program's hash or path, an address, a registry key; else its command or its name."""
    facts = thing.facts
    if category == "processes":
        sha = facts.get("SHA-256", "")
        return (Indicator.Kind.SHA256, sha) if len(sha) == 64 else (Indicator.Kind.FILE_PATH, thing.title)
    if category == "addresses":
        address = thing.title.split(" ")[0]
        return recognise(address), address
    if category == "autoruns" and thing.title.startswith(("HKLM", "HKU", "HKCU")):
        key, _, name = thing.title.partition(": ")
        return Indicator.Kind.REGISTRY, f"{key}\\{name}"
    if command := facts.get("Command") or facts.get("Path"):
        return Indicator.Kind.PROCESS, command
    return Indicator.Kind.OTHER, thing.title


def parse_keys(values: Iterable[str]) -> list[str]:
    """Exhibits' uuids from an address; anything else is dropped."""
    found = []
    for value in values:
        try:
            found.append(str(UUID(value)))
        except ValueError:
            found.append("")
    return found
