"""Readiness of connections, settings, contacts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, person
from ircase.api.paging import Router
from ircase.models import Contact, ReadinessPlan, SettingAnswer, User
from ircase.readiness import board, rights
from ircase.services.readiness import contacts, plans

router = Router(tags=["Readiness"])


class ReadinessCheckOut(Schema):
    key: str
    title: str
    state: str = Field(description="red, amber, unknown or ok")
    text: str
    todo: str
    looked_at: datetime | None = Field(alias="at")
    source: str


class ReadinessPartOut(Schema):
    key: str
    title: str
    about: str
    state: str
    red: int
    amber: int
    unknown: int
    checks: list[ReadinessCheckOut]


class ReadinessPlanIn(Schema):
    owner: str | None = Field(None, description="A username.")
    is_test: bool = False
    probe_device: str = Field("", max_length=255)
    probe: str = ReadinessPlan.Probe.FILE.value
    probe_days: int = Field(30, ge=1, le=365)
    hunt_days: int = Field(30, ge=1, le=365)
    gap_days: int = Field(7, ge=1, le=30)


class ReadinessPlanOut(ReadinessPlanIn):
    @staticmethod
    def resolve_owner(plan: ReadinessPlan) -> str | None:
        return plan.owner.username if plan.owner else None


class SettingAnswerIn(Schema):
    answer: str = SettingAnswer.Answer.YES.value
    note: str = Field("", max_length=500)


class SettingAnswerOut(SettingAnswerIn):
    key: str
    answered_by: str | None
    answered_at: datetime

    @staticmethod
    def resolve_answered_by(row: SettingAnswer) -> str | None:
        return row.answered_by.username if row.answered_by else None


class ContactIn(Schema):
    name: str = Field(min_length=1, max_length=120)
    role: str = Field(min_length=1, max_length=120)
    phone: str = Field("", max_length=60)
    email: str = Field("", max_length=254)
    hours: str = Field("", max_length=120)
    note: str = Field("", max_length=300)


class ContactOut(ContactIn):
    uuid: UUID
    confirmed_at: datetime
    confirmed_by: str
    old: bool = Field(alias="is_old")


@router.get("/connections/{pk}/readiness", response=list[ReadinessPartOut], summary="What is ready, and what is not")
def get_readiness(request: HttpRequest, pk: int) -> list[board.Part]:
    user = person(request)
    found = rights.get_connection(user, pk)
    return board.of([found], user)[found.pk]


@router.put("/connections/{pk}/readiness/plan", response=ReadinessPlanOut, summary="Who keeps it ready, and by what")
def put_plan(request: HttpRequest, pk: int, body: ReadinessPlanIn) -> ReadinessPlan:
    user = person(request)
    found = rights.get_connection(user, pk)
    access.require_administrator(user)
    owner = get_object_or_404(User, username=body.owner, is_active=True) if body.owner else None
    return plans.save(connection=found, actor=user, **(body.dict() | {"owner": owner}))


@router.put(
    "/connections/{pk}/readiness/settings/{key}", response=SettingAnswerOut, summary="Answer a Defender setting"
)
def put_answer(request: HttpRequest, pk: int, key: str, body: SettingAnswerIn) -> SettingAnswer:
    user = person(request)
    found = rights.get_connection(user, pk)
    row = plans.answer(connection=found, key=key, value=body.answer, note=body.note, actor=user)
    assert row is not None, "a person's answer is always kept"
    return row


@router.get("/contacts", response=list[ContactOut], summary="Whom to call, in order")
def list_contacts(request: HttpRequest) -> list[contacts.Line]:
    rights.require_reader(person(request))
    return contacts.lines()


@router.get("/cases/{reference}/contacts", response=list[ContactOut], summary="The same, for who works on a case")
def list_case_contacts(request: HttpRequest, reference: str) -> list[contacts.Line]:
    case_of(request, reference)
    return contacts.lines()


@router.post("/contacts", response={201: dict[str, Any]}, summary="Add a contact")
def add_contact(request: HttpRequest, body: ContactIn) -> Status[dict[str, Any]]:
    made = contacts.save(actor=person(request), **body.dict())
    return Status(201, {"uuid": str(made.uuid)})


@router.put("/contacts/{uuid}", response=dict[str, Any], summary="Change and so confirm a contact")
def change_contact(request: HttpRequest, uuid: UUID, body: ContactIn) -> dict[str, Any]:
    found = _contact(request, uuid)
    return {"uuid": str(contacts.save(actor=person(request), contact=found, **body.dict()).uuid)}


@router.post("/contacts/{uuid}/confirmation", response={204: None}, summary="Say that it is still true")
def confirm_contact(request: HttpRequest, uuid: UUID) -> Status[None]:
    contacts.confirm(actor=person(request), contacts=[_contact(request, uuid)])
    return Status(204, None)


@router.delete("/contacts/{uuid}", response={204: None}, summary="Take it off the list")
def remove_contact(request: HttpRequest, uuid: UUID) -> Status[None]:
    contacts.remove(actor=person(request), contact=_contact(request, uuid))
    return Status(204, None)


def _contact(request: HttpRequest, uuid: UUID) -> Contact:
    """A contact for who keeps the list: others are refused before it is looked up."""
    if not contacts.may_keep(person(request)):
        raise PermissionDenied("Administrators keep the contacts, and who keeps a connection ready.")
    return get_object_or_404(Contact, uuid=uuid)
