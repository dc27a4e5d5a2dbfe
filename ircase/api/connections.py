"""Connections by name; what they can do, for administrators."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status

from ircase import access
from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.models import Connection
from ircase.services import preflights

router = Router(tags=["Connections"])


class ConnectionOut(Schema):
    """No tenant, no client, no address: enough to name one in a request."""

    id: int
    name: str
    enabled: bool
    read_only: bool


class PreflightOut(Schema):
    name: str
    checked_at: datetime | None
    report: dict[str, Any]

    @staticmethod
    def resolve_checked_at(connection: Connection) -> datetime | None:
        return connection.preflight_at

    @staticmethod
    def resolve_report(connection: Connection) -> dict[str, Any]:
        return dict(connection.preflight)


@router.get("/connections", response=list[ConnectionOut], summary="The names of the tenants")
def list_connections(request: HttpRequest) -> list[Connection]:
    return list(Connection.objects.all())


@router.get("/connections/{pk}/preflight", response=PreflightOut, summary="What was found last")
def get_preflight(request: HttpRequest, pk: int) -> Connection:
    access.require_administrator(person(request))
    return get_object_or_404(Connection, pk=pk)


@router.post("/connections/{pk}/preflight", response={202: PreflightOut}, summary="Check again, in the background")
def ask_preflight(request: HttpRequest, pk: int) -> Status[Connection]:
    access.require_administrator(person(request))
    connection = get_object_or_404(Connection, pk=pk)
    preflights.ask(connection=connection, actor=person(request))
    connection.refresh_from_db()
    return Status(202, connection)
