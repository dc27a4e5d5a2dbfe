"""Trying Live Response on a connection's test device."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Schema, Status

from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.readiness import rights
from liveresponse.services import probes

router = Router(tags=["Readiness"])


class TryOut(Schema):
    uuid: UUID
    state: str


@router.post(
    "/connections/{pk}/readiness/tries", response={202: TryOut}, summary="Try Live Response on the test device"
)
def try_live_response(request: HttpRequest, pk: int) -> Status[dict[str, object]]:
    user = person(request)
    found = rights.get_connection(user, pk)
    made = probes.start(connection=found, actor=user)
    return Status(202, {"uuid": made.uuid, "state": made.state})
