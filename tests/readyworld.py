"""What the world of the permission walk has of readiness: a plan whose owner leads, a contact, an ended exercise."""

from typing import Any

from django.utils import timezone

from ircase.exercises.scenarios import scenarios
from ircase.models import Case, Exercise, ReadinessPlan, User
from ircase.services.readiness import contacts, plans


def make_ready(case: Case, lead: User, administrator: User) -> dict[str, Any]:
    """Things by the part of an address that asks for them."""
    assert case.connection is not None
    if not ReadinessPlan.objects.filter(connection=case.connection).exists():
        plans.save(connection=case.connection, actor=administrator, owner=lead, probe_device="lab-01")
    contact = contacts.save(actor=administrator, name="Night desk", role="On call", phone="1")
    plan = dict(scenarios()["invoice-fraud"].content)
    now = timezone.now()
    Exercise.objects.create(case=case, scenario="invoice-fraud", plan=plan, started_by=lead, ended_at=now)
    pk = case.connection.pk
    return {
        **dict.fromkeys(("ircase:readiness.pk", "hunting:readiness.pk", "liveresponse:readiness.pk"), pk),
        "ircase:readiness_part.part": "roles",
        "ircase:readiness_setting.key": "sensor",
        "ircase:contact.uuid": contact.uuid,
        "ircase:exercise_debrief.kind": "md",
        **{
            f"api:{operation}.pk": pk
            for operation in (
                "GET /connections/{pk}/readiness", "PUT /connections/{pk}/readiness/plan",
                "PUT /connections/{pk}/readiness/settings/{key}", "POST /connections/{pk}/readiness/tables",
                "POST /connections/{pk}/readiness/tries",
            )
        },
        "api:PUT /connections/{pk}/readiness/settings/{key}.key": "sensor",
        **{
            f"api:{operation}.uuid": contact.uuid
            for operation in ("PUT /contacts/{uuid}", "POST /contacts/{uuid}/confirmation", "DELETE /contacts/{uuid}")
        },
    }  # fmt: skip


BODIES: dict[str, Any] = {
    "POST /cases/{reference}/exercise/steering": {"act": "debrief", "went_well": "A test"},
    "POST /contacts": {"name": "Host", "role": "Hosting provider", "phone": "1"},
    "PUT /contacts/{uuid}": {"name": "Host", "role": "Hosting provider", "phone": "1"},
}
