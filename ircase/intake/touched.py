"""Which of the rows that came with an incident somebody has made their own since."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import ForeignObjectRel, Model

from ircase.models import Asset, Case, CaseIncident, Event, EventTechnique, Indicator, LogEntry

KINDS: Final = (Event, Indicator, Asset)
Row = Asset | Indicator | Event
# Who wrote the row and when says nothing of a touch; provenance is ours to mend when an incident goes.
_ASIDE: Final = frozenset({"id", "uuid", "case", "added_by", "added_at", "updated_at", "provenance", "value_digest"})
_PARTS: Final = (EventTechnique,)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Stays:
    """A row that does not leave, and why, in words."""

    row: Row
    why: str


def digest_of(row: Model) -> str:
    """Of what the row says: its own fields and the rows it is linked with. Prefetch its many-to-many fields."""
    said: dict[str, Any] = {
        field.name: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in _ASIDE
    }
    said |= {many.name: sorted(other.pk for other in getattr(row, many.name).all()) for many in row._meta.many_to_many}
    text = json.dumps(said, sort_keys=True, cls=DjangoJSONEncoder)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def rows_of(uuids: Iterable[str], link: CaseIncident) -> Iterator[Row]:
    """The rows of these uuids that are still in the case: events first, assets last."""
    wanted = list(uuids)
    for kind in KINDS:
        many = [field.name for field in kind._meta.many_to_many]
        yield from kind.objects.filter(case=link.case_id, uuid__in=wanted).prefetch_related(*many)


def marks(rows: Iterable[Row], keys: Mapping[str, str]) -> dict[str, str]:
    """`brought` of a link: each row's digest as it is now, with the key of its event."""
    return {str(row.uuid): f"{digest_of(row)}:{keys.get(str(row.uuid), '')}" for row in rows}


def weigh(link: CaseIncident) -> tuple[list[Row], list[Stays]]:
    """The rows that may leave with the incident, events first, and those that stay."""
    rows = list(rows_of(link.brought, link))
    reasons = _changed(rows, link.brought)
    for uuid in logged(link.case, link.brought, since=link.taken_at):
        reasons.setdefault(uuid, "the log names it since")
    elsewhere = _named_elsewhere(link)
    for uuid, number in elsewhere.items():
        reasons.setdefault(uuid, f"incident {number} names it too")
    for kind in KINDS:
        own = [row for row in rows if isinstance(row, kind) and str(row.uuid) not in reasons]
        leaving = {str(row.uuid) for row in rows if str(row.uuid) not in reasons}
        for uuid, why in linked(kind, own, leaving).items():
            reasons.setdefault(uuid, why)
    going = [row for row in rows if str(row.uuid) not in reasons]
    return going, [Stays(row, reasons[str(row.uuid)]) for row in rows if str(row.uuid) in reasons]


def _changed(rows: Iterable[Row], brought: Mapping[str, str]) -> dict[str, str]:
    return {
        str(row.uuid): "somebody changed it since"
        for row in rows
        if brought[str(row.uuid)].partition(":")[0] != digest_of(row)
    }


def logged(case: Case, uuids: Iterable[str], *, since: datetime) -> set[str]:
    """Those that the case's log names by uuid since then, other than for an incident that came or went."""
    found: set[str] = set()
    entries = LogEntry.objects.filter(case=case, at__gt=since).exclude(action__startswith="incident.")
    for detail in entries.values_list("detail", flat=True).iterator(chunk_size=500):
        found.update(_UUID.findall(json.dumps(detail)))
    return found.intersection(uuids)


def _named_elsewhere(link: CaseIncident) -> dict[str, str]:
    others = CaseIncident.objects.held().filter(case=link.case_id).exclude(pk=link.pk)
    return {uuid: number for named, number in others.values_list("named", "number") for uuid in named}


def linked(
    kind: type[Row], rows: Sequence[Row], leaving: set[str], *, aside: tuple[type[Model], ...] = ()
) -> dict[str, str]:
    """Rows that something points to that does not leave with them: a proof, an event of somebody's, a star. What is of
    the models `aside` is not asked."""
    by_pk = {row.pk: str(row.uuid) for row in rows}
    found: dict[str, set[str]] = defaultdict(set)
    for relation in kind._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or not by_pk:
            continue
        name, model = relation.field.name, relation.related_model
        # The table between a row and its own many-to-many field is not a link of somebody else's, nor are its parts.
        if model._meta.auto_created or model in (*_PARTS, *aside):
            continue
        own = "uuid" if any(field.name == "uuid" for field in model._meta.concrete_fields) else "pk"
        pairs = model._default_manager.filter(**{f"{name}__in": list(by_pk)}).values_list(name, own)
        for pk, other in pairs:
            if str(other) not in leaving and pk in by_pk:
                found[by_pk[pk]].add(str(model._meta.verbose_name))
    return {uuid: f"linked with a {' and a '.join(sorted(words))}" for uuid, words in found.items()}
