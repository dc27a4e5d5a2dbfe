"""The organisation's look of its reports, for administrators. The logo is given in the browser."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from ircase import access
from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.models import ReportLook
from ircase.report import fields
from ircase.services.reporting import looks

router = Router(tags=["Administration"])


class ReportLookIn(Schema):
    """Texts may name fields, as in {case.reference}; any other brace is refused."""

    organisation: str = Field("", max_length=120)
    accent: str = "#1d4ed8"
    cover: str = Field("", max_length=looks.LONGEST)
    footer: str = Field("", max_length=200)
    disclaimer: str = Field("", max_length=looks.LONGEST)
    contact: str = Field("", max_length=looks.LONGEST)


class ReportLookOut(ReportLookIn):
    number: int
    logo_name: str
    made_at: datetime | None

    @staticmethod
    def resolve_made_at(look: ReportLook) -> datetime | None:
        """None where nothing was saved yet."""
        return look.made_at if look.number else None


def _administrator(request: HttpRequest) -> None:
    access.require_administrator(person(request))


@router.get("/report-look", response=ReportLookOut, summary="The organisation's look of its reports")
def get_look(request: HttpRequest) -> ReportLook:
    _administrator(request)
    return looks.current() or ReportLook(number=0)


@router.put("/report-look", response=ReportLookOut, summary="Save the next version of the look; the logo stays")
def put_look(request: HttpRequest, body: ReportLookIn) -> ReportLook:
    _administrator(request)
    for name in ("cover", "footer", "disclaimer", "contact"):
        try:
            fields.check(getattr(body, name))
        except fields.UnknownFieldError as error:
            raise ValidationError({name: str(error)}) from error
    return looks.save_look(look=ReportLook(**body.dict()), actor=person(request))
