"""Starring rows and writing notes beside them. The row's digest shows later that it is the same row."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import grid
from ircase.models import Activity, Case, CaseTable, Evidence, Star, User
from ircase.services import log
from ircase.services.analysis import findings
from ircase.services.analysis.tables import columns_of
from ircase.services.vault import previews

MOST_OF_A_TABLE: Final = 2_000
CELL_LETTERS: Final = 2_000
"""A longer cell is cut in what is kept beside the star; the digest is over all of it."""


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of the row as canonical JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def star_rows(*, table: CaseTable, actor: User, numbers: Iterable[int], note: str = "") -> list[Star]:
    """Star these rows (from 1); those that are starred stay as they are. Raises ValidationError."""
    with transaction.atomic():
        wanted = list(dict.fromkeys(numbers))
        there = {star.number: star for star in stars_of(table)}
        new = [number for number in wanted if number not in there]
        if len(there) + len(new) > MOST_OF_A_TABLE:
            raise ValidationError(f"At most {MOST_OF_A_TABLE:,} rows of a table are starred. Star what matters most.")
        previews.note(table.evidence, actor=actor, what=f"table {table.name}")
        origin = origin_of(table)
        for number, record in _records(table, new):
            there[number] = _add(table, actor, number, record, note, origin(number))
        missing = [number for number in wanted if number not in there]
        if missing:
            raise ValidationError(f"This table has no row {missing[0]}.")
        return [there[number] for number in wanted]


def _records(table: CaseTable, numbers: Sequence[int]) -> Iterable[tuple[int, dict[str, Any]]]:
    columns = columns_of(table)
    try:
        for start in range(0, len(numbers), grid.MAX_PAGE):
            for row in grid.rows(table.path, columns, numbers[start : start + grid.MAX_PAGE]):
                yield row.number, {c.name: cell for c, cell in zip(columns, row.cells, strict=True)}
    except grid.GridError as error:
        raise ValidationError(str(error)) from None


def _add(table: CaseTable, actor: User, number: int, record: dict[str, Any], note: str, origin: dict[str, Any]) -> Star:
    star = Star(
        case_id=table.case_id,
        evidence=table.evidence,
        table_name=table.name,
        number=number,
        row_sha256=digest(record),
        row=findings.clean_json({name: _cut(cell) for name, cell in record.items()}),
        provenance=origin,
        starred_by=actor,
    )
    _set_note(star, actor, note)
    star.full_clean(exclude=["case", "evidence", "starred_by", "noted_by"])
    star.save()
    _log("starred", star, actor, row_sha256=star.row_sha256, **({"comment": star.note} if star.note else {}))
    return star


def _cut(cell: Any) -> Any:
    text = grid.cell_text(cell) or ""
    return cell if len(text) <= CELL_LETTERS else text[:CELL_LETTERS]


def _set_note(star: Star, actor: User, note: str) -> None:
    star.note = findings.clean(note).strip()
    if star.note or star.noted_at:
        star.noted_by, star.noted_at = actor, timezone.now()


@transaction.atomic
def annotate(*, star: Star, actor: User, note: str) -> Star:
    """Write or change the note; the log keeps the one before. Raises ValidationError."""
    before = star.note
    _set_note(star, actor, note)
    if star.note == before:
        return star
    star.full_clean(exclude=["case", "evidence", "starred_by", "noted_by"])
    star.save(update_fields=["note", "noted_by", "noted_at"])
    _log("noted", star, actor, comment=star.note, before=before)
    return star


@transaction.atomic
def unstar(*, star: Star, actor: User) -> None:
    """Take the star off. The log keeps its note; what was made of the row stays."""
    _log("unstarred", star, actor, comment=star.note, row_sha256=star.row_sha256)
    star.delete()


def _log(verb: str, star: Star, actor: User, **detail: Any) -> None:
    where = f"row {star.number} of {star.table_name}, {star.evidence.exhibit}"
    log.record(f"row.{verb}", case=star.case, actor=actor, title=where, subject=str(star.uuid), **detail)


def stars_of(table: CaseTable) -> list[Star]:
    found = Star.objects.filter(evidence=table.evidence_id, table_name=table.name)
    return list(found.select_related("case", "evidence", "starred_by", "noted_by"))


def star_of(evidence: Evidence, table_name: str, number: int) -> Star | None:
    found = Star.objects.filter(evidence=evidence, table_name=table_name, number=number)
    return found.select_related("case", "evidence", "starred_by", "noted_by").first()


def link(evidence: Evidence | None, table_name: str, number: int) -> dict[str, str]:
    """What provenance adds where the row is starred: the way back to the star."""
    star = star_of(evidence, table_name, number) if evidence is not None else None
    return {"star": str(star.uuid)} if star else {}


def origin_of(table: CaseTable) -> Callable[[int], dict[str, Any]]:
    """A row's provenance by its number: the run that gave it, as the case knows runs, else the exhibit and the
    table."""
    item = table.evidence
    if item.kind == Evidence.Kind.HUNT:
        run = Activity.objects.filter(evidence=item, kind=Activity.Kind.HUNT).order_by("pk").first()
        if run is not None:
            known = {"run": str(run.subject), "exhibit": item.exhibit, "hunt": str(run.detail.get("hunt", ""))}
            return lambda number: {**known, "row": number}
    known = {"evidence": str(item.uuid), "exhibit": item.exhibit, "table": table.name}
    return lambda number: {**known, "row": number}


def sameness(case: Case, found: Sequence[Star]) -> dict[int, bool | None]:
    """By the star's key: whether the table still holds that very row; None where there is no table to look into."""
    if not found:
        return {}
    tables = {(one.evidence_id, one.name): one for one in CaseTable.objects.filter(case=case)}
    by_table: dict[tuple[int, str], list[Star]] = defaultdict(list)
    for star in found:
        by_table[star.evidence_id, star.table_name].append(star)
    same: dict[int, bool | None] = {star.pk: None for star in found}
    for key, group in by_table.items():
        if key in tables:
            same |= _compared(tables[key], group)
    return same


def _compared(table: CaseTable, group: Sequence[Star]) -> dict[int, bool | None]:
    try:
        now = {number: digest(record) for number, record in _records(table, [star.number for star in group])}
    except ValidationError:
        return {}
    return {star.pk: now.get(star.number) == star.row_sha256 for star in group}
