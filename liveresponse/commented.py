"""Collections, response actions, devices and files can be commented: how each is found, and whose it is."""

from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase.models import Case
from ircase.services.writing import comments
from ircase.services.writing.comments import Subject, uuid_in
from liveresponse.models import Collection, ResponseAction
from liveresponse.services import lookups


def register() -> None:
    """Called when Django starts."""
    comments.register("collection", "Collection", _collection)
    comments.register("action", "Response action", _action)
    comments.register("device", "Device", _device)
    comments.register("file", "File", _file)


def _collection(case: Case, subject: str) -> Subject | None:
    rows = Collection.objects.filter(case=case, uuid=uuid_in(subject))
    found = rows.select_related("activity", "requested_by").first()
    if found is None:
        return None
    path = reverse("liveresponse:collection", args=[case.reference, found.uuid])
    return Subject(found.activity.title, path, (found.requested_by,))


def _action(case: Case, subject: str) -> Subject | None:
    rows = ResponseAction.objects.filter(case=case, uuid=uuid_in(subject))
    found = rows.select_related("activity", "requested_by").first()
    if found is None:
        return None
    path = reverse("liveresponse:action", args=[case.reference, found.uuid])
    return Subject(found.activity.title, path, (found.requested_by,))


def _device(case: Case, subject: str) -> Subject | None:
    """By the name that its page goes by; every name has a page, as it has one before anything is known of it."""
    try:
        good = lookups.clean_device(subject) == subject
    except ValidationError:
        good = False
    return Subject(subject, reverse("liveresponse:device", args=[case.reference, subject])) if good else None


def _file(case: Case, subject: str) -> Subject | None:
    try:
        good = lookups.clean_hash(subject) == subject
    except ValidationError:
        good = False
    return Subject(subject, reverse("liveresponse:file", args=[case.reference, subject])) if good else None
