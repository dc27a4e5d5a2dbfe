"""The things of the case itself that can be commented, and whose each is."""

from django.urls import reverse

from ircase.models import (
    Approval,
    Asset,
    Case,
    ChecklistItem,
    Event,
    Evidence,
    Indicator,
    Note,
)
from ircase.services import notices
from ircase.services.writing import comments
from ircase.services.writing.comments import Subject, number_in, uuid_in


def register() -> None:
    """Called when Django starts."""
    comments.register("case", "Case", _case)
    comments.register("checklist", "Checklist item", _item)
    comments.register("evidence", "Evidence", _evidence)
    comments.register("event", "Event", _event)
    comments.register("indicator", "Indicator", _indicator)
    comments.register("asset", "Asset", _asset)
    comments.register("approval", "Approval", _approval)
    comments.register("note", "Note", _note)


def _case(case: Case, subject: str) -> Subject | None:
    if uuid_in(subject) != case.uuid:
        return None
    return Subject(
        f"the case {case.title}", reverse("ircase:case", args=[case.reference]), tuple(notices.leads_of(case))
    )


def _item(case: Case, subject: str) -> Subject | None:
    number = number_in(subject)
    found = ChecklistItem.objects.filter(case=case, pk=number).select_related("owner").first() if number else None
    if found is None:
        return None
    return Subject(found.title, reverse("ircase:checklist_item", args=[case.reference, found.pk]), (found.owner,))


def _evidence(case: Case, subject: str) -> Subject | None:
    found = Evidence.objects.filter(case=case, uuid=uuid_in(subject)).select_related("sealed_by").first()
    if found is None:
        return None
    path = reverse("ircase:evidence_item", args=[case.reference, found.uuid])
    return Subject(f"{found.exhibit} {found.name}", path, (found.sealed_by,))


def _event(case: Case, subject: str) -> Subject | None:
    found = Event.objects.filter(case=case, uuid=uuid_in(subject)).select_related("added_by").first()
    if found is None:
        return None
    return Subject(found.title, reverse("ircase:event", args=[case.reference, found.uuid]), (found.added_by,))


def _indicator(case: Case, subject: str) -> Subject | None:
    found = Indicator.objects.filter(case=case, uuid=uuid_in(subject)).select_related("added_by").first()
    if found is None:
        return None
    return Subject(found.value, reverse("ircase:indicator", args=[case.reference, found.uuid]), (found.added_by,))


def _asset(case: Case, subject: str) -> Subject | None:
    found = Asset.objects.filter(case=case, uuid=uuid_in(subject)).select_related("added_by").first()
    if found is None:
        return None
    return Subject(found.name, reverse("ircase:asset", args=[case.reference, found.uuid]), (found.added_by,))


def _approval(case: Case, subject: str) -> Subject | None:
    found = (
        Approval.objects.filter(case=case, uuid=uuid_in(subject)).select_related("requested_by", "decided_by").first()
    )
    if found is None:
        return None
    path = reverse("ircase:approval", args=[found.uuid])
    return Subject(found.title, path, (found.requested_by, found.decided_by))


def _note(case: Case, subject: str) -> Subject | None:
    found = Note.objects.filter(case=case, uuid=uuid_in(subject)).select_related("updated_by").first()
    if found is None:
        return None
    return Subject(found.title, reverse("ircase:note", args=[case.reference, found.uuid]), (found.updated_by,))
