"""Saved views: the words of an address under a name, a person's own or for everybody. They hold no result."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ircase.models import SavedView, User
from ircase.services import log
from ircase.services.analysis.findings import clean

MOST = 200  # of one person
# Where in a list one is, and what a form carries along.
_PASSING = frozenset({"page", "after", "csrfmiddlewaretoken", "view"})


def of(person: User, page: str) -> list[SavedView]:
    """Those that the person may use on a page, the pinned first; each with `pinned`."""
    found: QuerySet[Any] = usable(person)
    return list(found.filter(page=page).order_by("-pinned", "name", "pk")[:MOST])


def usable(person: User) -> QuerySet[SavedView]:
    """Their own and the shared ones, with `pinned` and who saved them."""
    pins = SavedView.pinned_by.through.objects.filter(savedview=OuterRef("pk"), user=person)
    mine = Q(person=person) | Q(shared=True)
    return SavedView.objects.filter(mine).annotate(pinned=Exists(pins)).select_related("person")


def words_of(asked: str) -> str:
    """An address's query as it is kept: in one order, without what names a place in the list."""
    pairs = parse_qsl(clean(asked)[:4000], max_num_fields=100)
    return urlencode(sorted((name, value) for name, value in pairs if name not in _PASSING and value))


@transaction.atomic
def save(*, person: User, page: str, name: str, asked: str, shared: bool = False, pinned: bool = False) -> SavedView:
    """Keep a view; one of the same name on the same page is changed. Raises ValidationError."""
    kept = words_of(asked)
    name = clean(name).strip()
    known = SavedView.objects.filter(person=person, page=page, name=name).first()
    if known is None and SavedView.objects.filter(person=person).count() >= MOST:
        raise ValidationError(f"You have {MOST} saved views. Remove one first.")
    view = known or SavedView(person=person, page=page, name=name)
    view.asked, view.shared, view.saved_at = kept, shared, timezone.now()
    view.full_clean(exclude=["person"], validate_unique=False, validate_constraints=False)
    view.save()
    pin(view=view, person=person, pinned=pinned)
    log.record("view.saved", actor=person, page=page, title=name if shared else "", shared=shared)
    return view


def pin(*, view: SavedView, person: User, pinned: bool) -> None:
    """Whether it stands on top for this person."""
    if pinned:
        view.pinned_by.add(person)
    else:
        view.pinned_by.remove(person)


@transaction.atomic
def remove(*, view: SavedView, person: User) -> None:
    """Take a view of one's own away. Raises ValidationError for somebody else's."""
    if view.person_id != person.pk:
        raise ValidationError("Only who saved a view can remove it.")
    log.record("view.removed", actor=person, page=view.page, title=view.name if view.shared else "")
    view.delete()
