"""What on the Readiness pages shows that an item of the preparation holds: a link, its age and its state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, Max, Min
from django.urls import reverse
from django.utils import timezone

from ircase.models import Contact, Exercise, PreparationItem
from ircase.readiness.board import ORDER, Part, State
from ircase.services.readiness.contacts import REVIEW

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "defender": ("settings", "probe"),
    "scripts": ("library",),
    "logging": ("tables",),
}
"""Keys of the program's own items (ircase/preparation.yaml), and the parts of the board that show them."""


@dataclass(frozen=True)
class Shown:
    """What shows an item: `state` of what was looked at, `at` the oldest look."""

    item: PreparationItem
    standing: str
    state: State | None
    words: str
    url: str
    at: datetime | None = None


def shown(parts: Mapping[int, Sequence[Part]], now: datetime | None = None) -> list[Shown]:
    """Every item of the preparation with what shows it, in its own order. Three queries."""
    now = now or timezone.now()
    made = {"contacts": contacts(now), "training": training(now)}
    rows = []
    for item in PreparationItem.objects.select_related("owner"):
        state, words, url, at = made.get(item.key) or _of_parts(_PARTS.get(item.key, ()), parts)
        rows.append(Shown(item, item.standing(now), state, words, url, at))
    return rows


Found = tuple[State | None, str, str, datetime | None]


def contacts(now: datetime) -> Found:
    """How old the oldest line of the contact list is."""
    found = Contact.objects.aggregate(number=Count("pk"), oldest=Min("confirmed_at"))
    url = reverse("ircase:contacts")
    if not found["number"]:
        return State.RED, "Nobody is on the contact list.", url, None
    old = now - found["oldest"] > REVIEW
    words = f"{found['number']} on the contact list, confirmed {found['oldest']:%Y-%m-%d} at the earliest."
    return (State.AMBER if old else State.OK), words, url, found["oldest"]


def training(now: datetime) -> Found:
    """When an exercise was last played to its end."""
    last = Exercise.objects.aggregate(last=Max("ended_at"))["last"]
    url = reverse("ircase:exercises")
    if last is None:
        return State.RED, "No exercise was played to its end.", url, None
    old = (now - last).days > 365
    return (State.AMBER if old else State.OK), f"An exercise ended on {last:%Y-%m-%d}.", url, last


def _of_parts(keys: Sequence[str], parts: Mapping[int, Sequence[Part]]) -> Found:
    """The worst of these parts over all connections."""
    wanted = [part for rows in parts.values() for part in rows if part.key in keys]
    if not wanted:
        return None, "", "", None
    worst = min((part.state for part in wanted), key=lambda state: ORDER[state])
    red = sum(part.red for part in wanted)
    said = f"{red} not ready." if red else "nothing is known to be amiss."
    words = f"{', '.join(dict.fromkeys(part.title for part in wanted))}: {said}"
    at = min((part.looked_at for part in wanted if part.looked_at), default=None)
    return worst, words, reverse("ircase:readiness"), at
