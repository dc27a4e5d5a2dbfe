"""Exhibits that lie elsewhere, registered in bulk from a CSV: all of its lines, or none.

What becomes of a line is what `custody.take` makes of one thing: its record is sealed, its own bytes are not held here,
and a hash that the line states stays a statement. Its custody begins with `registered`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.curated import times
from ircase.intake import csvfile
from ircase.models import Case, Evidence, User
from ircase.services import log
from ircase.services.vault import custody
from ircase.services.vault.custody import Said, Thing

MOST_BYTES: Final = 2**20
MOST_LINES: Final = 300
MOST_SHOWN: Final = 50
AHEAD: Final = timedelta(minutes=5)
NEEDED: Final = ("name", "place", "acquired_at")
# The columns, and what else they may be called.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("item", "exhibit"),
    "description": ("details",),
    "kind": ("type",),
    "serial": ("serial number", "imei"),
    "source": ("from", "taken from"),
    "place": ("location", "where"),
    "acquired_at": ("acquired", "time", "date"),
    "acquired_by": ("by", "collected by"),
    "holder": ("held by",),
    "seal": ("seal number",),
    "purpose": ("why", "reason"),
    "sha256": ("sha-256", "hash"),
}
_OF_THING: Final = ("description", "serial", "source", "acquired_by", "holder", "sha256")
HEADER: Final = ",".join(COLUMNS)
_HOW: Final = f"It needs the columns {', '.join(NEEDED)}; it may have {', '.join(set(COLUMNS) - set(NEEDED))}."


@dataclass(frozen=True)
class Line:
    """One thing of the file by its line, or the `problem` with it. `given`: the time of acquisition as it was
    written, with the zone that it was read in."""

    line: int
    thing: Thing
    said: Said | None = None
    given: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Reading:
    """A file as it would be registered. `left_out` are columns that nobody knows."""

    name: str
    sha256: str
    lines: tuple[Line, ...]
    left_out: tuple[str, ...] = field(default=())

    @property
    def wrong(self) -> list[Line]:
        return [one for one in self.lines if one.problem]

    @property
    def problems(self) -> list[str]:
        """Bad lines by number, the first of them."""
        wrong = self.wrong
        more = len(wrong) - MOST_SHOWN
        said = [f"Line {one.line}: {one.problem}" for one in wrong[:MOST_SHOWN]]
        return said + ([f"And {more} more lines."] if more > 0 else [])


def read(data: bytes, *, name: str, zone: str = "", purpose: str = "") -> Reading:
    """What a file would register; nothing is kept. A time that names no zone is one of `zone`, without which its line
    is wrong; `purpose` is of the lines that say none. Raises ValidationError where it is no such file."""
    if len(data) > MOST_BYTES:
        raise ValidationError(f"A file of exhibits may have {MOST_BYTES // 2**20} MiB. Cut it into parts.")
    if zone:
        times.zone_of(zone)
    try:
        found = list(_lines(data, zone, purpose))
        columns = csvfile.columns_of(data)
    except csvfile.BadFile as error:
        raise ValidationError(str(error)) from None
    if not found:
        raise ValidationError("The file has a header and no line.")
    left_out = tuple(column[:80] for column in columns if column and _field(column) is None)
    return Reading(name.replace("\x00", "")[:255], hashlib.sha256(data).hexdigest(), tuple(found), left_out)


def _lines(data: bytes, zone: str, purpose: str) -> Iterator[Line]:
    fields = [_field(column) for column in csvfile.columns_of(data)]
    missing = [name for name in NEEDED if name not in fields]
    twice = sorted({name for name in fields if name is not None and fields.count(name) > 1})
    if missing:
        raise ValidationError(f"The file has no column {' and no column '.join(missing)}. {_HOW}")
    if twice:
        raise ValidationError(f"Two columns of the file are the {' and the '.join(twice)}. Rename one.")
    lines = csvfile.lines_of(data)
    next(lines)
    seen: dict[tuple[str, ...], int] = {}
    count = 0
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > MOST_LINES:
            raise ValidationError(f"The file has more than {MOST_LINES} lines. Cut it into parts.")
        yield _line(number, fields, cells, seen, zone, purpose)


def _field(column: str) -> str | None:
    word = column.strip().lower()
    plain = word.replace("_", " ")
    named = (name for name, others in COLUMNS.items() if word == name or plain in (name.replace("_", " "), *others))
    return next(named, None)


def _line(
    number: int, fields: list[str | None], cells: list[str], seen: dict[tuple[str, ...], int], zone: str, purpose: str
) -> Line:
    texts = {name: cell.strip() for name, cell in zip(fields, cells, strict=False) if name}
    thing = Thing(
        name=texts.get("name", ""),
        what=texts.get("kind", "").lower(),
        **{name: texts.get(name, "") for name in _OF_THING},
    )
    same = seen.setdefault(tuple(cells), number)
    try:
        if len(cells) > len(fields):
            raise ValidationError(
                f"It has {len(cells)} cells, the header {len(fields)}: a cell with the separator in it needs quotes."
            )
        if same != number:
            raise ValidationError(f"It is the same as line {same}.")
        at, given = _acquired(texts.get("acquired_at", ""), zone)
        said = Said(texts.get("purpose") or purpose, texts.get("place", ""), at, texts.get("seal", ""))
        thing.facts()
        said.detail()
    except ValidationError as error:
        return Line(number, thing, problem=" ".join(error.messages))
    return Line(number, thing, said, given)


def _acquired(text: str, zone: str) -> tuple[datetime, str]:
    if not text:
        raise ValidationError("It says not when the thing was acquired.")
    when = times.read(text, zone=zone)
    if when.at > timezone.now() + AHEAD:
        raise ValidationError("It cannot have been acquired in the future.")
    return when.at, f"{when.given} ({when.zone})"


def register(*, case: Case, actor: User, reading: Reading) -> list[Evidence]:
    """An exhibit of every line, each with its number and its custody, or none. Raises ValidationError, StoreError."""
    custody.open_for_acts(case)
    if reading.wrong:
        raise ValidationError(reading.problems)
    _once(case, reading)
    # The words first, the rows second: hundreds of files must not be written under the database's write lock.
    records = [_write_down(one) for one in reading.lines]
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)  # the same file sent twice at the same time
        _once(case, reading)
        made = [
            custody.seal_record(case=case, actor=actor, record=record, act="registered", **_origin(reading, one))
            for one, record in zip(reading.lines, records, strict=True)
        ]
        log.record(
            "evidence.registered", case=case, actor=actor, title=reading.name, count=len(made), sha256=reading.sha256,
            exhibits=[made[0].exhibit, made[-1].exhibit],
        )  # fmt: skip
    return made


def _write_down(one: Line) -> custody.Record:
    if one.said is None:
        raise ValidationError(f"Line {one.line} cannot be read.")
    return custody.write_down(one.thing, one.said, acquired_as_written=one.given)


def _origin(reading: Reading, one: Line) -> dict[str, Any]:
    return {"file": reading.name, "file_sha256": reading.sha256, "line": one.line}


def _once(case: Case, reading: Reading) -> None:
    there = Evidence.objects.filter(case=case, kind__in=Evidence.RECORDS, manifest__file_sha256=reading.sha256)
    found = [f"E{number:03d}" for number in there.order_by("number").values_list("number", flat=True)]
    if found:
        raise ValidationError(f"This file was registered already: {found[0]} to {found[-1]}.")
