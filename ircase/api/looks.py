"""Looks into an exhibit: what workers made of it, as the pages show it, and never a byte as it lies there."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from artifacts.looks import hexes
from artifacts.looks.shapes import KINDS
from ircase import access
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.api.schemas import IndicatorVerdict
from ircase.models import CaseRole, Evidence, Indicator, JobState, Preview
from ircase.services.vault import handling, looking, previews

router = Router(tags=["Evidence"])
_LOOKS = "/cases/{reference}/evidence/{uuid}/looks"
_LOOK = f"{_LOOKS}/{{kind}}"
_PER_PAGE = 200
_LISTS = {"text": "lines", "archive": "entries"}  # of a look's content, the list that comes page by page


class LookName(Schema):
    kind: str
    label: str
    fits: bool = Field(description="Whether it suits what the exhibit was recognised as.")


class LookAsked(Schema):
    page: int = Field(1, ge=1, le=1_000_000, description="Of lines, entries, strings or records; 200 to a page.")
    at: str = Field("0", max_length=20, description="For hex: an offset, as in 4096, 0x1000 or 50%.")
    q: str = Field("", max_length=200, description="For strings: what they hold. For events: the provider.")


class EvidenceLook(Schema):
    """`content` is null until a worker has made it (`state`): ask again then."""

    kind: str
    state: str
    reason: str
    page: int
    matched: int | None = Field(description="How many there are in all, where the look is a list.")
    content: Any


class StringsTaken(Schema):
    numbers: list[int] = Field(min_length=1, max_length=1000, description="`number` of what was recognised.")
    verdict: IndicatorVerdict = Indicator.Verdict.UNKNOWN


class StringsTakenOut(Schema):
    added: int
    known: int


class SeenOut(Schema):
    number: int
    kind: str
    value: str
    offset: int
    known: bool = Field(description="On the case already.")


def _item(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> Evidence:
    case = case_of(request, reference, needs)
    item: Evidence = get_object_or_404(Evidence, case=case, uuid=uuid)
    item.case = case
    return item


def _kind(kind: str, item: Evidence) -> None:
    if kind not in KINDS:
        raise Http404("There is no such look.")
    if item.is_destroyed:
        raise ValidationError(f"{item.exhibit} was destroyed; there is nothing to look into.")


@router.get(_LOOKS, response=list[LookName], summary="Which looks there are, and which suit the exhibit")
def list_looks_of(request: HttpRequest, reference: str, uuid: UUID) -> list[dict[str, Any]]:
    fit = set(handling.recognised(_item(request, reference, uuid)).looks)
    return [{"kind": kind, "label": label, "fits": kind in fit} for kind, label in looking.LABELS.items()]


@router.get(_LOOK, response={200: EvidenceLook, 202: EvidenceLook}, summary="One look; 202 while a worker makes it")
def look_into(
    request: HttpRequest, reference: str, uuid: UUID, kind: str, asked: Query[LookAsked]
) -> Status[dict[str, Any]]:
    """Custody knows of it before anything is read."""
    item, user = _item(request, reference, uuid), person(request)
    _kind(kind, item)
    previews.note(item, actor=user, what=f"preview: {looking.LABELS[kind].lower()}")
    if kind == "hex":
        return Status(200, _said("hex", "done", asked, _hex(item, asked.at), None))
    job = looking.ask(item, kind, user)
    if job.state != JobState.DONE:
        ended = job.state in (JobState.FAILED, JobState.CANCELLED)
        return Status(200 if ended else 202, _said(kind, job.state, asked, None, None, job.reason))
    try:
        content, matched = _content(job, asked)
    except looking.LookGone as gone:
        raise ValidationError(str(gone)) from None
    return Status(200, _said(kind, job.state, asked, content, matched))


def _said(
    kind: str, state: str, asked: LookAsked, content: Any, matched: int | None, reason: str = ""
) -> dict[str, Any]:
    said = {"kind": kind, "state": str(state), "reason": reason, "page": asked.page}
    return {**said, "matched": matched, "content": content}


def _hex(item: Evidence, at: str) -> list[dict[str, Any]]:
    try:
        offset = hexes.offset_of(at, item.size)
    except (ValueError, OverflowError):
        raise ValidationError("Write an offset as in 4096, 0x1000 or 50%.") from None
    return [asdict(line) for line in looking.hex_page(item, offset)]


def _content(job: Preview, asked: LookAsked) -> tuple[Any, int | None]:
    if job.kind == "strings":
        part = looking.strings(job, looking.StringsAsked(text=asked.q.lower()), asked.page, _PER_PAGE)
        return part.items, part.matched
    if job.kind == "events":
        part = looking.events(job, looking.EventsAsked(provider=asked.q.lower()), asked.page, _PER_PAGE)
        return part.items, part.matched
    found = looking.content(job)
    if name := _LISTS.get(job.kind):
        begin, rows = (asked.page - 1) * _PER_PAGE, found[name]
        return {**found, name: rows[begin : begin + _PER_PAGE]}, len(rows)
    return found, None


@router.post(_LOOK, response={202: EvidenceLook}, summary="Make a look again that failed")
def look_again(request: HttpRequest, reference: str, uuid: UUID, kind: str) -> Status[dict[str, Any]]:
    item = _item(request, reference, uuid, access.ANALYST)
    _kind(kind, item)
    if kind == "hex":
        raise ValidationError("Hex is read as it is asked for; nothing is made of it.")
    job = looking.ask(item, kind, person(request))
    looking.again(job)
    job.refresh_from_db()
    return Status(202, _said(kind, job.state, LookAsked(page=1, at="0", q=""), None, None, job.reason))


def _strings_of(item: Evidence) -> Preview:
    rows = Preview.objects.filter(evidence=item, kind="strings", state=JobState.DONE)
    job = rows.order_by("-version").first()
    if job is None:
        raise ValidationError("Its strings were not read yet. Ask for the look “strings” first.")
    job.evidence = item
    return job


@router.get(f"{_LOOKS}/strings/indicators", response=list[SeenOut], summary="Indicators among its strings")
def list_recognised(request: HttpRequest, reference: str, uuid: UUID) -> list[looking.Seen]:
    item = _item(request, reference, uuid)
    previews.note(item, actor=person(request), what="preview: strings")
    return looking.recognised(_strings_of(item), item.case)


@router.post(f"{_LOOKS}/strings/indicators", response=StringsTakenOut, summary="Make them indicators of the case")
def take_strings(request: HttpRequest, reference: str, uuid: UUID, body: StringsTaken) -> dict[str, int]:
    case, numbers = open_case_of(request, reference), set(body.numbers)
    job = _strings_of(_item(request, reference, uuid, access.ANALYST))
    try:
        made = looking.take(job=job, case=case, actor=person(request), numbers=numbers, verdict=body.verdict)
    except looking.LookGone as gone:
        raise ValidationError(str(gone)) from None
    return {"added": made, "known": len(numbers) - made}
