"""The organisation's look of its reports, its logo too, for administrators."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import person
from ircase.api.onefile import ONE_FILE
from ircase.api.paging import Router
from ircase.models import ReportLook
from ircase.report import fields
from ircase.services.reporting import looks
from ircase.services.transfer import uploads

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


@router.get("/report-look/logo", response={200: bytes}, summary="The logo that reports have, as a PNG")
def get_logo(request: HttpRequest) -> HttpResponse:
    _administrator(request)
    headers = {"Content-Disposition": 'attachment; filename="logo.png"'}
    return HttpResponse(bytes(_with_logo().logo), content_type="image/png", headers=headers)


@router.post(
    "/report-look/logo",
    response=ReportLookOut,
    openapi_extra=ONE_FILE,
    summary="Save the next version of the look with this logo",
)
def set_logo(request: HttpRequest) -> ReportLook:
    """A PNG or JPEG of at most 1,000 kB, the field `file` of multipart/form-data. It is drawn anew."""
    _administrator(request)
    logo = uploads.receive_one(request, looks.MOST_BYTES)
    return looks.save_look(look=_as_it_is(), actor=person(request), logo=logo)


@router.delete("/report-look/logo", response={204: None}, summary="Save the next version of the look without a logo")
def drop_logo(request: HttpRequest) -> Status[None]:
    _administrator(request)
    _with_logo()
    looks.save_look(look=_as_it_is(), actor=person(request), drop_logo=True)
    return Status(204, None)


def _with_logo() -> ReportLook:
    now = looks.current()
    if now is None or not now.logo:
        raise Http404("There is no logo.")
    return now


def _as_it_is() -> ReportLook:
    """A look to be saved that says what the present one says."""
    now = looks.current() or ReportLook()
    return ReportLook(**{name: getattr(now, name) for name in ReportLookIn.model_fields})
