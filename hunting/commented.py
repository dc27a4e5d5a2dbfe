"""Runs and notebooks can be commented: how each is found, and whose it is."""

from django.urls import reverse

from hunting.models import HuntRun, Notebook
from ircase.models import Case
from ircase.services.writing import comments
from ircase.services.writing.comments import Subject, uuid_in


def register() -> None:
    """Called when Django starts."""
    comments.register("run", "Hunt run", _run)
    comments.register("notebook", "Notebook", _notebook)


def _run(case: Case, subject: str) -> Subject | None:
    found = HuntRun.objects.filter(case=case, uuid=uuid_in(subject)).select_related("activity", "requested_by").first()
    if found is None:
        return None
    title = found.activity.title if found.activity else "a hunt"
    return Subject(title, reverse("hunting:run", args=[case.reference, found.uuid]), (found.requested_by,))


def _notebook(case: Case, subject: str) -> Subject | None:
    found = Notebook.objects.filter(case=case, uuid=uuid_in(subject)).select_related("created_by").first()
    if found is None:
        return None
    return Subject(found.title, reverse("hunting:notebook", args=[case.reference, found.uuid]), (found.created_by,))
