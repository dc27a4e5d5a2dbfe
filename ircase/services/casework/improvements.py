"""Improvement items: learnt on a case, owned and dated, living on after it is closed."""

from datetime import date
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import Case, Improvement, NoticeCode, User
from ircase.nist import frameworks
from ircase.services import log, notices
from ircase.services.analysis.findings import clean

_FIELDS: Final = ("title", "description", "outcome", "owner", "due_on")


def outcomes() -> dict[str, str]:
    """The improvement outcomes of CSF 2.0, ID.IM, in words."""
    return {number: words for number, words in frameworks().outcomes.items() if number.startswith("ID.IM")}


def seen_by(user: User) -> QuerySet[Improvement]:
    """Those of cases that the person may see, what is due first at the top."""
    visible = Case.objects.visible_to(user).values("pk")
    found = Improvement.objects.filter(case__in=visible).select_related("case", "owner", "made_by")
    return found.order_by(F("due_on").asc(nulls_last=True), "pk")


@transaction.atomic
def add(
    *,
    case: Case,
    actor: User,
    title: str,
    description: str = "",
    outcome: str = "ID.IM-03",
    owner: User | None = None,
    due_on: date | None = None,
) -> Improvement:
    """A new item of a case, open or closed. Raises PermissionDenied, ValidationError."""
    if not access.still_may(actor, case, access.ANALYST):
        raise PermissionDenied("Improvements are written by analysts and leads of the case.")
    item = Improvement(case=case, title=clean(title).strip(), description=clean(description), outcome=outcome,
                       owner=owner, due_on=due_on, made_by=actor)  # fmt: skip
    _check(item)
    item.save()
    log.record("improvement.added", case=case, actor=actor, title=item.title, improvement=str(item.uuid), **_plan(item))
    _tell_owner(item, actor)
    return item


@transaction.atomic
def change(*, item: Improvement, actor: User, **values: object) -> Improvement:
    """Change what it says, whose it is, by when. Raises PermissionDenied, ValidationError."""
    _require_writer(item, actor)
    item = _locked(item)
    unknown = set(values) - set(_FIELDS)
    if unknown:
        raise ValidationError(f"These cannot be changed: {', '.join(sorted(unknown))}.")
    owner_before = item.owner_id
    changed = [name for name, value in values.items() if getattr(item, name) != value]
    for name in changed:
        value = values[name]
        setattr(item, name, clean(value) if isinstance(value, str) else value)
    _check(item)
    if changed:
        item.save(update_fields=changed)
        log.record("improvement.changed", case=item.case, actor=actor, title=item.title,
                   improvement=str(item.uuid), fields=changed, **_plan(item))  # fmt: skip
    if item.owner_id != owner_before:
        _tell_owner(item, actor)
    return item


@transaction.atomic
def move(*, item: Improvement, actor: User, state: str, result: str = "") -> Improvement:
    """To another state. Done and dropped need words. Raises PermissionDenied, ValidationError."""
    _require_writer(item, actor)
    item = _locked(item)
    wanted = Improvement.State(state)
    ended = wanted in (Improvement.State.DONE, Improvement.State.DROPPED)
    if wanted == item.state:
        raise ValidationError(f"It is {item.get_state_display().lower()} already.")
    if ended and not result.strip():
        raise ValidationError({"result": "Say what came of it, or why it is dropped."})
    item.state, item.ended_at = wanted, timezone.now() if ended else None
    item.result = clean(result).strip() or item.result
    item.save(update_fields=["state", "ended_at", "result"])
    log.record("improvement.moved", case=item.case, actor=actor, title=item.title, improvement=str(item.uuid),
               state=item.state, result=item.result[:500])  # fmt: skip
    return item


def _locked(item: Improvement) -> Improvement:
    rows = Improvement.objects.select_for_update(of=("self",)).select_related("case", "owner")
    return rows.get(pk=item.pk)


def may_write(item: Improvement, user: User) -> bool:
    """Its owner, where they may see the case and do not only read; and who writes on the case."""
    if access.still_may(user, item.case, access.ANALYST):
        return True
    reads_only = user.site_role == User.SiteRole.MANAGER
    return item.owner_id == user.pk and not reads_only and access.still_may(user, item.case, access.VIEWER)


def _require_writer(item: Improvement, actor: User) -> None:
    if not may_write(item, actor):
        raise PermissionDenied("Its owner changes it, and the analysts and leads of its case.")


def _check(item: Improvement) -> None:
    if item.outcome not in outcomes():
        raise ValidationError({"outcome": f"Choose one of {', '.join(outcomes())}."})
    if item.owner is not None and not access.still_may(item.owner, item.case, access.VIEWER):
        raise ValidationError({"owner": "They may not see the case, so they could not see this."})
    item.full_clean(exclude=["case", "made_by", "owner"])


def _plan(item: Improvement) -> dict[str, object]:
    return {"owner": item.owner.username if item.owner else None, "due": str(item.due_on) if item.due_on else None}


def _tell_owner(item: Improvement, actor: User) -> None:
    if item.owner is None or item.owner_id == actor.pk:
        return
    notices.tell(
        code=NoticeCode.ASSIGNMENT,
        people=[item.owner],
        case=item.case,
        subject=notices.about(item.uuid, f"owner {item.owner_id}"),
        title=f"{actor.name} gave you an improvement: {item.title}",
        path=reverse("ircase:improvement", args=[item.uuid]),
    )
