"""News for the person who asks, how they want to be told, and what they are told of one case."""

from datetime import datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase.api.auth import case_of, person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Channel, Notice, NoticeCode, NoticeSettings
from ircase.services import notices
from ircase.services.telling import choosing, confirming, trying
from ircase.telling import rules

router = Router(tags=["Notices"])
When = Literal["", "now", "digest", "off"]


class NoticeOut(Schema):
    """`path` leads to what it is about; `lines` may hold text from outside."""

    uuid: UUID
    case: str
    code: str
    title: str
    lines: list[str]
    path: str
    at: datetime
    read_at: datetime | None

    @staticmethod
    def resolve_case(notice: Notice) -> str:
        return notice.case.reference


class NoticeFilters(Window):
    unread: bool = False
    code: str = Field("", max_length=12)
    case: str = Field("", max_length=20)


class OfCode(Schema):
    """When news of one kind is told by each channel: "" as usual."""

    mail: When = ""
    teams: When = ""


OfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM, in the person's zone.")]


class NoticeSettingsOut(Schema):
    """`teams`: whether the address of a workflow is kept; the address itself is never told."""

    choices: dict[str, OfCode]
    teams: bool
    digest_hour: int
    digest_days: list[int]
    quiet: bool
    quiet_from: OfDay
    quiet_until: OfDay
    alarm_passes: bool
    clock_passes: bool
    every_run: bool
    every_case: bool
    address_waits: bool = Field(alias="waits_for_address", description="No mail is sent before it is confirmed.")

    @staticmethod
    def resolve_quiet_from(row: NoticeSettings) -> str:
        return row.quiet_from.isoformat("minutes")

    @staticmethod
    def resolve_quiet_until(row: NoticeSettings) -> str:
        return row.quiet_until.isoformat("minutes")

    @staticmethod
    def resolve_teams(row: NoticeSettings) -> bool:
        return bool(row.teams_encrypted)

    @staticmethod
    def resolve_choices(row: NoticeSettings) -> dict[str, Any]:
        return {code: row.choices.get(code, {}) for code in NoticeCode.values}

    @staticmethod
    def resolve_digest_days(row: NoticeSettings) -> list[int]:
        return list(rules.days_of(row))


class NoticeSettingsIn(Schema):
    """The whole of it. `teams`: a new address, "" to forget it, null or left out to keep it. Days: 0 is Monday."""

    choices: dict[str, OfCode] = Field(default_factory=dict)
    teams: str | None = Field(None, max_length=2000)
    digest_hour: int = Field(8, ge=0, le=23)
    digest_days: list[int] = Field(list(rules.DAYS), max_length=7)
    quiet: bool = False
    quiet_from: OfDay = "20:00"
    quiet_until: OfDay = "07:00"
    alarm_passes: bool = True
    clock_passes: bool = False
    every_run: bool = False
    every_case: bool = False


class MuteIn(Schema):
    muted: bool


class ChannelTestIn(Schema):
    channel: Literal["mail", "teams"]


@router.get("/notices", response=Page[NoticeOut], summary="What came home for you, latest first")
def list_notices(request: HttpRequest, filters: Query[NoticeFilters]) -> dict[str, Any]:
    found = notices.find(person(request), unread=filters.unread, code=filters.code, case=filters.case)
    return page_of(found, filters)


@router.post("/notices/read", response={204: None}, summary="All of it is read")
def read_all(request: HttpRequest) -> Status[None]:
    notices.mark_read(person=person(request))
    return Status(204, None)


def _own(request: HttpRequest, uuid: UUID) -> Notice:
    found: Notice = get_object_or_404(Notice.objects.of(person(request)), uuid=uuid)
    return found


@router.post("/notices/{uuid}/read", response={204: None}, summary="Read")
def read_notice(request: HttpRequest, uuid: UUID) -> Status[None]:
    notices.mark_read(person=person(request), notice=_own(request, uuid))
    return Status(204, None)


@router.post("/notices/{uuid}/unread", response={204: None}, summary="Unread again")
def unread_notice(request: HttpRequest, uuid: UUID) -> Status[None]:
    notices.mark_unread(person=person(request), notice=_own(request, uuid))
    return Status(204, None)


@router.get("/notification-settings", response=NoticeSettingsOut, summary="How you are told")
def get_settings(request: HttpRequest) -> NoticeSettings:
    return choosing.of(person(request))


@router.put("/notification-settings", response=NoticeSettingsOut, summary="Say how you want to be told")
def set_settings(request: HttpRequest, body: NoticeSettingsIn) -> NoticeSettings:
    fields = body.dict(exclude={"digest_days"})
    fields |= {name: time.fromisoformat(fields[name]) for name in ("quiet_from", "quiet_until")}
    wish = choosing.Wish(**fields, digest_days=tuple(body.digest_days))
    return choosing.choose(person=person(request), wish=wish)


class AddressToken(Schema):
    token: str = Field(min_length=1, max_length=2000, description="The last part of the link in the mail.")


@router.post("/notification-settings/address", response={202: None}, summary="Another link to confirm your address")
def ask_address(request: HttpRequest) -> Status[None]:
    confirming.again(person(request))
    return Status(202, None)


@router.post("/notification-settings/address/confirmation", response={204: None}, summary="Confirm your address")
def confirm_address(request: HttpRequest, body: AddressToken) -> Status[None]:
    confirming.confirm(person=person(request), token=body.token)
    return Status(204, None)


@router.post("/notification-settings/test", response={202: None}, summary="A test message to yourself")
def try_channel(request: HttpRequest, body: ChannelTestIn) -> Status[None]:
    trying.ask(person=person(request), channel=Channel(body.channel))
    return Status(202, None)


@router.put("/cases/{reference}/mute", response={204: None}, summary="Be told of a case in the app alone, or again")
def mute(request: HttpRequest, reference: str, body: MuteIn) -> Status[None]:
    choosing.mute(person=person(request), case=case_of(request, reference), on=body.muted)
    return Status(204, None)
