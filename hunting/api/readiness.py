"""Having a connection's tables asked for rows."""

from django.http import HttpRequest
from ninja import Schema, Status

from hunting.services import tablechecks
from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.readiness import rights

router = Router(tags=["Readiness"])


class TablesAsked(Schema):
    tables: int


@router.post(
    "/connections/{pk}/readiness/tables", response={202: TablesAsked}, summary="Ask every table, in the background"
)
def ask_tables(request: HttpRequest, pk: int) -> Status[dict[str, int]]:
    user = person(request)
    found = rights.get_connection(user, pk)
    return Status(202, {"tables": tablechecks.ask(connection=found, actor=user)})
