"""What texts of a case name, looked up once for a reader: nothing is in here that they may not see."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from django.urls import reverse

from ircase import access
from ircase.models import Case, Evidence, JobState, Note, Preview, User

MOST_NAMES: Final = 500
# Wider than what the parser takes for a name: what is looked up in vain costs nothing.
_PEOPLE: Final = re.compile(r"@(\w(?:[\w.+@-]{0,148}\w)?)")
_CASES: Final = re.compile(r"IR-\d{4}-(?:\d{4,12}|X[A-Z2-7]{6})")
_EXHIBITS: Final = re.compile(r"(?<!\w)E-?(\d{1,6})(?!\w)")
_NOTES: Final = re.compile(r"\[\[([^\[\]\n]{1,200})\]\]")


@dataclass(frozen=True)
class Exhibit:
    """`picture`: the address of the picture that a worker has drawn of it, "" where there is none."""

    label: str
    url: str
    picture: str = ""


@dataclass(frozen=True)
class Room:
    """Addresses by what people type. `anchors`: headings get ids, which only one text of a page may have."""

    people: Mapping[str, str] = field(default_factory=dict)
    cases: Mapping[str, str] = field(default_factory=dict)
    exhibits: Mapping[int, Exhibit] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    anchors: bool = False


EMPTY: Final = Room()


def room_for(texts: Iterable[str], case: Case, reader: User, *, anchors: bool = False) -> Room:
    """What `texts` of `case` name, as far as `reader` may see it: one query for each kind of thing that is named."""
    text = "\n".join(texts)
    return Room(
        people=_people(_some(_PEOPLE.findall(text)), case),
        cases=_cases(_some(_CASES.findall(text)), reader),
        exhibits=_exhibits({int(number) for number in _some(_EXHIBITS.findall(text))}, case),
        notes=_notes(_some(_NOTES.findall(text)), case),
        anchors=anchors,
    )


def _some(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))[:MOST_NAMES]


def _people(names: list[str], case: Case) -> dict[str, str]:
    if not names:
        return {}
    return {person.username: person.name for person in access.people_who_see(case).filter(username__in=names)}


def _cases(references: list[str], reader: User) -> dict[str, str]:
    if not references:
        return {}
    found = Case.objects.visible_to(reader).filter(reference__in=references).values_list("reference", flat=True)
    return {reference: reverse("ircase:case", args=[reference]) for reference in found}


def _exhibits(numbers: set[int], case: Case) -> dict[int, Exhibit]:
    if not numbers:
        return {}
    items = list(Evidence.objects.filter(case=case, number__in=numbers).only("uuid", "number", "integrity"))
    drawn = set(
        Preview.objects.filter(evidence__in=items, kind="image", state=JobState.DONE).values_list("evidence", flat=True)
    )
    return dict(_shown(items, drawn, case.reference))


def _shown(items: Iterable[Evidence], drawn: set[int], reference: str) -> Iterator[tuple[int, Exhibit]]:
    for item in items:
        picture = item.pk in drawn and not item.is_destroyed
        yield (
            item.number,
            Exhibit(
                label=item.exhibit,
                url=reverse("ircase:evidence_item", args=[reference, item.uuid]),
                picture=reverse("ircase:evidence_picture", args=[reference, item.uuid]) if picture else "",
            ),
        )


def _notes(titles: list[str], case: Case) -> dict[str, str]:
    """By title without its case; of two notes with one title the older."""
    if not titles:
        return {}
    wanted = {title.strip().casefold() for title in titles}
    rows = Note.objects.there().filter(case=case).order_by("-pk").values_list("title", "uuid")[:5_000]
    return {
        title.casefold(): reverse("ircase:note", args=[case.reference, uuid])
        for title, uuid in rows
        if title.casefold() in wanted
    }
