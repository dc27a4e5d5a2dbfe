"""The dashboard by mail each month."""

from datetime import date, datetime
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status

from ircase.api.auth import person
from ircase.api.dashboard import BoardFilters
from ircase.api.paging import Router
from ircase.models import Delivery, MonthlyMail, User
from ircase.services.managing import monthly

router = Router(tags=["Dashboard"])


class MonthlyNew(BoardFilters):
    """`first` and `last` are of no account: it is always the month before."""


class MonthlyOut(Schema):
    """`asked`: the dashboard's query without its days. `month`: the first day of the last month that was seen to."""

    uuid: UUID
    asked: str
    month: date
    made_at: datetime


class MonthlyLetterOut(Schema):
    """How one of them went; `monthly` is what it was sent for."""

    monthly: UUID
    title: str
    state: str
    at: datetime
    ended_at: datetime | None
    problem: str


def _manager(request: HttpRequest) -> User:
    user = person(request)
    monthly.require_manager(user)
    return user


def _mine(request: HttpRequest, uuid: UUID) -> MonthlyMail:
    return get_object_or_404(monthly.of(_manager(request)), uuid=uuid)


@router.get("/dashboard/monthly", response=list[MonthlyOut], summary="The dashboards that you get by mail each month")
def list_monthly(request: HttpRequest) -> list[MonthlyMail]:
    return list(monthly.of(_manager(request)))


@router.post("/dashboard/monthly", response={201: MonthlyOut}, summary="Get the dashboard of these filters each month")
def begin_monthly(request: HttpRequest, body: MonthlyNew) -> Status[MonthlyMail]:
    user = _manager(request)
    asked = monthly.query_of({name: str(getattr(body, name) or "") for name in BoardFilters.model_fields})
    return Status(201, monthly.begin(actor=user, asked=asked))


@router.get("/dashboard/monthly/letters", response=list[MonthlyLetterOut], summary="How the last of them went")
def list_letters(request: HttpRequest) -> list[dict[str, object]]:
    return [_letter(row) for row in monthly.letters_of(_manager(request))[:100]]


def _letter(row: Delivery) -> dict[str, object]:
    assert row.file is not None and row.file.monthly is not None
    return {
        "monthly": row.file.monthly.uuid, "title": row.title, "state": row.state, "at": row.at,
        "ended_at": row.ended_at, "problem": row.problem,
    }  # fmt: skip


@router.delete("/dashboard/monthly/{uuid}", response={204: None}, summary="Get it no more")
def stop_monthly(request: HttpRequest, uuid: UUID) -> Status[None]:
    monthly.stop(mail=_mine(request, uuid), actor=person(request))
    return Status(204, None)


@router.post("/dashboard/monthly/{uuid}/letters", response={202: MonthlyLetterOut}, summary="The last month, now")
def send_monthly(request: HttpRequest, uuid: UUID) -> Status[dict[str, object]]:
    return Status(202, _letter(monthly.send_now(mail=_mine(request, uuid), actor=person(request))))
