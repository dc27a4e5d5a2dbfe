"""A collection that could not be followed to its end, followed again: Defender ran it, so nothing is run twice.

A token or a role that was lacking for a while ends a collection as failed although the device has done its part. Once
the connection works again its result is still there for as long as Defender keeps it.
"""

from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Activity, User
from ircase.services import activity, log
from liveresponse.models import Collection, CollectionState
from liveresponse.services import collections

AT_LEAST: Final = timedelta(hours=24)
"""The time that it has again, where its own is over."""

_WORDS: Final = "Going on where it stopped; the result is fetched anew"


def stopped_in(collection: Collection) -> str:
    """ "running" or "fetching", where Defender still has what was asked for; else ""."""
    if collection.state != CollectionState.FAILED or not collection.action_id:
        return ""
    ends = collection.commands.filter(what=CollectionState.FAILED.value).order_by("-pk")
    detail = ends.values_list("detail", flat=True).first()
    return str(detail.get("stopped_in", "")) if detail else ""


@transaction.atomic
def go_on(*, collection: Collection, actor: User) -> Collection:
    """FAILED -> RUNNING or FETCHING, the same row: the machine action is looked at again and its result is fetched.
    What comes after it is checked as ever. Raises ValidationError where there is nothing to go on with."""
    state = stopped_in(collection)
    if not state:
        raise ValidationError("Defender has nothing of it to go on with. Ask again.")
    collections.check_case(collection.case)
    now = timezone.now()
    changed = Collection.objects.filter(pk=collection.pk, state=CollectionState.FAILED).update(
        state=state, failure="", status_text=_WORDS, ended_at=None, changed_at=now, next_poll_at=now, trouble=0,
        cancel_requested=False, deadline=max(collection.deadline, now + AT_LEAST),
    )  # fmt: skip
    if not changed:
        raise ValidationError("Somebody was quicker: it goes on already.")
    Activity.objects.filter(pk=collection.activity_id).update(outcome="", ended_at=None)
    activity.progress(collection.activity, CollectionState(state).value)
    collection.refresh_from_db()
    collections.note(collection, "resumed", f"{actor.name} lets it go on: {_WORDS.lower()}.")
    log.record(
        "collection.resumed", case=collection.case, actor=actor, title=collection.activity.title,
        subject=str(collection.uuid), device=collection.device,
    )  # fmt: skip
    jobs.enqueue("liveresponse.step", collection.pk)
    return collection
