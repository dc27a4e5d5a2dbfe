"""ATT&CK data of one's own, for administrators: which is in use, a newer one, back to the one before."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access, attack
from ircase.api.auth import person
from ircase.api.onefile import ONE_FILE
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import AttackRelease, User
from ircase.services.analysis import attackdata
from ircase.services.transfer import uploads

router = Router(tags=["Administration"])


class AttackFile(Schema):
    """An enterprise-attack.json that was brought. `withdrawn_at`: it is used no more since then."""

    uuid: UUID
    name: str
    size: int
    sha256: str
    version: str
    techniques: int
    state: str
    reason: str
    uploaded_by: str
    queued_at: datetime
    withdrawn_at: datetime | None

    @staticmethod
    def resolve_uploaded_by(row: AttackRelease) -> str:
        return row.uploaded_by.username


class AttackInUse(Schema):
    """`uuid` is null where it is what IRCase is shipped with."""

    version: str
    techniques: int = Field(description="How many it has.")
    uuid: UUID | None


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


@router.get("/attack-data", response=AttackInUse, summary="The ATT&CK data that is in use")
def get_attack_data(request: HttpRequest) -> dict[str, Any]:
    _administrator(request)
    now, row = attack.release(), attackdata.in_use()
    return {"version": now.version, "techniques": len(now.techniques), "uuid": row.uuid if row else None}


@router.get("/attack-data/files", response=Page[AttackFile], summary="The ATT&CK data that was brought, latest first")
def list_attack_files(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(AttackRelease.objects.select_related("uploaded_by"), window)


@router.post("/attack-data/files", response={202: AttackFile}, openapi_extra=ONE_FILE, summary="Bring a newer one")
def bring_attack_data(request: HttpRequest) -> Status[AttackRelease]:
    """MITRE's enterprise-attack.json as the field `file`, as multipart/form-data. A worker reads it; then it is used by
    everybody."""
    user = _administrator(request)
    file = uploads.receive_one(request, attackdata.MOST_BYTES)
    try:
        return Status(202, attackdata.bring(actor=user, upload=file))
    finally:
        file.close()


@router.post("/attack-data/files/{uuid}/withdrawal", response=AttackFile, summary="Use it no more")
def withdraw_attack_data(request: HttpRequest, uuid: UUID) -> AttackRelease:
    """The one before it is used again, else what IRCase is shipped with."""
    user = _administrator(request)
    row: AttackRelease = get_object_or_404(AttackRelease.objects.select_related("uploaded_by"), uuid=uuid)
    attackdata.withdraw(row=row, actor=user)
    return row
