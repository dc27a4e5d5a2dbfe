"""Hooks: a case's own by its leads, the site's and what could not be delivered by administrators."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Case, CaseTelling, Delivery, Hook, User
from ircase.services.telling import deliveries, hooks

router = Router(tags=["Hooks"])
site = Router(tags=["Hooks"])


class HookOut(Schema):
    """`host`: of its address, the rest of which is never told."""

    uuid: UUID
    kind: str
    name: str
    codes: list[str]
    enabled: bool
    host: str

    @staticmethod
    def resolve_host(hook: Hook) -> str:
        return hooks.host_of(hook)


class HookMade(HookOut):
    secret: str = Field(description="Told this once; empty for Teams, where the address itself is the secret.")


class HookNew(Schema):
    kind: Literal["teams", "webhook"] = "webhook"
    name: str = Field(min_length=1, max_length=100)
    url: str = Field(min_length=1, max_length=2000)
    codes: list[str] = Field(max_length=30)
    enabled: bool = True


class HookChange(Schema):
    """What is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=100)
    url: str = Field("", max_length=2000)
    codes: list[str] | None = Field(None, max_length=30)
    enabled: bool | None = None


class HookSecret(Schema):
    secret: str


class Outside(Schema):
    """Whether messages about a confidential case may say what they are about."""

    names: bool


class DeliveryOut(Schema):
    """What was said is not told here: `case`, and a hook of it, are null where you may not see it."""

    uuid: UUID
    channel: str
    person: str | None
    hook: UUID | None
    case: str | None
    state: str
    attempts: int
    at: datetime
    next_at: datetime
    ended_at: datetime | None
    problem: str

    @staticmethod
    def resolve_person(row: Delivery) -> str | None:
        return row.person.username if row.person else None

    @staticmethod
    def resolve_hook(row: Any) -> UUID | None:
        return row.hook.uuid if row.hook and (row.seen or row.hook.case_id is None) else None

    @staticmethod
    def resolve_case(row: Any) -> str | None:
        return row.case.reference if row.seen else None


class DeliveryFilters(Window):
    state: Literal["", "waiting", "sent", "dropped", "dead"] = ""


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


def _made(request: HttpRequest, case: Case | None, body: HookNew) -> Status[Any]:
    hook: Any = Hook(case=case, kind=body.kind, name=body.name, codes=body.codes, enabled=body.enabled)
    hook.secret = hooks.save(hook=hook, actor=person(request), url=body.url)
    return Status(201, hook)


def _changed(request: HttpRequest, hook: Hook, body: HookChange) -> Hook:
    for name, value in body.dict(exclude={"url"}, exclude_none=True).items():
        setattr(hook, name, value)
    hooks.save(hook=hook, actor=person(request), url=body.url)
    return hook


# --- of a case
_CASE = "/cases/{reference}/hooks"


def _of_case(request: HttpRequest, reference: str, uuid: UUID) -> Hook:
    case = case_of(request, reference, access.LEAD)
    return get_object_or_404(Hook.objects.select_related("case"), case=case, uuid=uuid)


@router.get(_CASE, response=list[HookOut], summary="The hooks of a case")
def list_case_hooks(request: HttpRequest, reference: str) -> list[Hook]:
    return list(case_of(request, reference, access.LEAD).hooks.all())


@router.post(_CASE, response={201: HookMade}, summary="A new hook of a case")
def make_case_hook(request: HttpRequest, reference: str, body: HookNew) -> Status[Any]:
    return _made(request, case_of(request, reference, access.LEAD), body)


@router.put(f"{_CASE}/{{uuid}}", response=HookOut, summary="Change a hook of a case")
def change_case_hook(request: HttpRequest, reference: str, uuid: UUID, body: HookChange) -> Hook:
    return _changed(request, _of_case(request, reference, uuid), body)


@router.delete(f"{_CASE}/{{uuid}}", response={204: None}, summary="Remove a hook of a case")
def remove_case_hook(request: HttpRequest, reference: str, uuid: UUID) -> Status[None]:
    hooks.remove(hook=_of_case(request, reference, uuid), actor=person(request))
    return Status(204, None)


@router.post(f"{_CASE}/{{uuid}}/secret", response=HookSecret, summary="A new secret; for a day both sign")
def renew_case_secret(request: HttpRequest, reference: str, uuid: UUID) -> dict[str, str]:
    return {"secret": hooks.new_secret(hook=_of_case(request, reference, uuid), actor=person(request))}


@router.get("/cases/{reference}/outside", response=Outside, summary="What messages about the case may say")
def get_outside(request: HttpRequest, reference: str) -> dict[str, bool]:
    case = case_of(request, reference)
    return {"names": CaseTelling.objects.filter(case=case, names=True).exists()}


@router.put("/cases/{reference}/outside", response=Outside, summary="Let messages about the case name it, or not")
def set_outside(request: HttpRequest, reference: str, body: Outside) -> dict[str, bool]:
    case = case_of(request, reference, access.LEAD)
    hooks.set_names(case=case, actor=person(request), names=body.names)
    return {"names": body.names}


# --- of the site
def _of_site(request: HttpRequest, uuid: UUID) -> Hook:
    _administrator(request)
    return get_object_or_404(Hook, case=None, uuid=uuid)


@site.get("/hooks", response=list[HookOut], summary="The hooks of the site")
def list_hooks(request: HttpRequest) -> list[Hook]:
    _administrator(request)
    return list(Hook.objects.filter(case=None))


@site.post("/hooks", response={201: HookMade}, summary="A new hook of the site")
def make_hook(request: HttpRequest, body: HookNew) -> Status[Any]:
    _administrator(request)
    return _made(request, None, body)


@site.put("/hooks/{uuid}", response=HookOut, summary="Change a hook of the site")
def change_hook(request: HttpRequest, uuid: UUID, body: HookChange) -> Hook:
    return _changed(request, _of_site(request, uuid), body)


@site.delete("/hooks/{uuid}", response={204: None}, summary="Remove a hook of the site")
def remove_hook(request: HttpRequest, uuid: UUID) -> Status[None]:
    hooks.remove(hook=_of_site(request, uuid), actor=person(request))
    return Status(204, None)


@site.post("/hooks/{uuid}/secret", response=HookSecret, summary="A new secret; for a day both sign")
def renew_secret(request: HttpRequest, uuid: UUID) -> dict[str, str]:
    return {"secret": hooks.new_secret(hook=_of_site(request, uuid), actor=person(request))}


@site.get("/deliveries", response=Page[DeliveryOut], summary="What is on its way outside, or could not get there")
def list_deliveries(request: HttpRequest, filters: Query[DeliveryFilters]) -> dict[str, Any]:
    return page_of(deliveries.listed(_administrator(request), filters.state), filters)


@site.post("/deliveries/{uuid}/again", response={204: None}, summary="Try a dead letter again")
def send_again(request: HttpRequest, uuid: UUID) -> Status[None]:
    actor = _administrator(request)
    deliveries.again(delivery=get_object_or_404(Delivery, uuid=uuid), actor=actor)
    return Status(204, None)
