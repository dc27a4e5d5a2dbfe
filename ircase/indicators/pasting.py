"""What was recognised in a text, shown to a person, and the chosen ones onto the case: thousands at once."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.indicators import extract, harmless
from ircase.models import Case, FindingTag, Indicator, User
from ircase.recognition import is_elsewhere, is_private
from ircase.search import index
from ircase.services import log
from ircase.services.analysis import findings, tagging

BATCH: Final = 500
MOST_REFUSED: Final = 20
"""So many of those that were refused are named."""


@dataclass(frozen=True)
class Added:
    """How many are new, how many stood on the case, and why others could not be kept, by name."""

    added: int
    known: int
    refused: tuple[str, ...]


def is_public(address: str) -> bool:
    return is_elsewhere(address) and not is_private(address)


def preview(case: Case, found: Iterable[extract.Found]) -> list[dict[str, Any]]:
    """What was recognised, each with why it may better be left: two queries."""
    there = set(case.indicators.values_list("kind", "value_digest"))
    known = harmless.known()
    return [_shown(one, there, known) for one in found]


def _shown(one: extract.Found, there: set[tuple[str, str]], known: harmless.Known) -> dict[str, Any]:
    entry = known.of(one.kind, one.value)
    double = (one.kind, harmless.digest(one.value)) in there
    private = one.kind == Indicator.Kind.IP and not is_public(one.value)
    return {
        "kind": one.kind, "kind_words": Indicator.Kind(one.kind).label, "value": one.value, "times": one.times,
        "written": one.written if one.written != one.value else "", "double": double, "private": private,
        "harmless": entry.reason if entry else "", "chosen": not (entry or double or private),
    }  # fmt: skip


def mark_of(found: Iterable[extract.Found]) -> str:
    """A short mark of this very list, by which a form that names its places knows that they are the same still."""
    return hashlib.sha256("\n".join(f"{one.kind} {one.value}" for one in found).encode()).hexdigest()[:16]


def as_ranges(places: Iterable[int]) -> str:
    """Places of a list in few letters: `0-499,502`. `from_ranges` reads it."""
    runs: list[list[int]] = []
    for place in sorted(set(places)):
        if runs and place == runs[-1][1] + 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def from_ranges(text: str, count: int) -> set[int]:
    """The places below `count` that `text` names; what is no place is passed over."""
    return {place for part in text.split(",")[:count] for place in _run(part, count)}


def _run(part: str, count: int) -> range:
    first, _, last = part.partition("-")
    if not (_is_number(first) and _is_number(last or first)):
        return range(0)
    return range(int(first), min(int(last or first) + 1, count))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def choose(
    *,
    case: Case,
    actor: User,
    chosen: Iterable[tuple[str, str]],
    verdict: str = Indicator.Verdict.UNKNOWN,
    tlp: str,
    pap: str,
    tags: Sequence[str] = (),
    description: str = "",
) -> Added:
    """Pairs of kind and value onto the case, the first `extract.MOST_FOUND`. One that cannot be kept is named; the
    others are added. Raises ValidationError for tags or a marking that are none."""
    wanted = list(dict.fromkeys(chosen))[: extract.MOST_FOUND]
    more: dict[str, Any] = {"verdict": verdict, "tlp": tlp, "pap": pap, "description": findings.clean(description)}
    if verdict != Indicator.Verdict.UNKNOWN:
        more |= {"verdict_by": actor, "verdict_at": timezone.now()}
    refused: list[str] = []
    made = {(one.kind, one.value_digest): one for one in _made(case, actor, wanted, more, refused)}
    with transaction.atomic():
        of_case = tagging.tags_of(case, tags)
        added = sum(_keep(case, actor, part, of_case) for part in index.batched(made.values(), BATCH))
    return Added(added, len(made) - added, tuple(refused[:MOST_REFUSED]))


def _made(
    case: Case, actor: User, wanted: Iterable[tuple[str, str]], more: dict[str, Any], refused: list[str]
) -> Iterator[Indicator]:
    """Each as a row that could be kept; why another could not goes to `refused`."""
    for kind, value in wanted:
        try:
            if kind not in Indicator.Kind.values:
                raise ValidationError("no such kind")
            spelled = findings.normalise(kind, value)
            row = Indicator(
                case=case, added_by=actor, kind=kind, value=spelled, value_digest=harmless.digest(spelled),
                provenance={"by": "hand", "pasted": True}, **more,
            )  # fmt: skip
            row.clean_fields(exclude=["case", "added_by", "verdict_by"])
        except ValidationError as error:
            refused.append(f"“{value[:80]}”: {' '.join(error.messages)}")
        else:
            yield row


def _keep(case: Case, actor: User, rows: Sequence[Indicator], tags: Sequence[FindingTag]) -> int:
    """How many of them were new."""
    digests = [row.value_digest for row in rows]
    there = Indicator.objects.filter(case=case, value_digest__in=digests).values_list("kind", "value_digest")
    known = set(there)
    fresh = [row for row in rows if (row.kind, row.value_digest) not in known]
    # Who adds one of them at this moment keeps theirs.
    Indicator.objects.bulk_create(fresh, ignore_conflicts=True)
    kept = list(Indicator.objects.filter(case=case, uuid__in=[row.uuid for row in fresh]))
    links = Indicator.tags.through
    links.objects.bulk_create([links(indicator_id=row.pk, findingtag_id=tag.pk) for row in kept for tag in tags])
    index.write_many("indicator", kept)
    if kept:
        log.record(
            "indicator.added_many", case=case, actor=actor, count=len(kept), values=[row.value[:200] for row in kept],
            verdict=kept[0].verdict, tlp=kept[0].tlp, pap=kept[0].pap, tags=[tag.name for tag in tags],
        )  # fmt: skip
    return len(kept)
