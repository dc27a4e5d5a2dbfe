"""All that somebody watches, and all watches of a case at once, over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Schema

from hunting.api.watches import WatchOut
from hunting.models import Watch
from hunting.services import watching
from ircase.api.auth import open_case_of, person
from ircase.api.paging import Page, Router, Window, page_of

router = Router(tags=["Watches"])


class MyWatch(WatchOut):
    """A watch with its last turn: null and empty where it has not asked yet."""

    case: str
    last_state: str | None
    last_reason: str | None
    last_at: datetime | None
    last_run: UUID | None
    last_new: int | None
    last_truncated: bool | None

    @staticmethod
    def resolve_case(watch: Watch) -> str:
        return watch.case.reference


class ResumedOut(Schema):
    """`problem` says why it does not go on; empty where it does."""

    watch: UUID
    title: str
    problem: str

    @staticmethod
    def resolve_watch(one: watching.Resumed) -> UUID:
        return one.watch.uuid

    @staticmethod
    def resolve_title(one: watching.Resumed) -> str:
        return one.watch.title


@router.get("/watches", response=Page[MyWatch], summary="What you watch, on every case that you may see")
def list_my_watches(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    """Those that are not stopped."""
    return page_of(Watch.objects.going_of(person(request)).with_people().with_last(), window)


@router.post(
    "/cases/{reference}/hunts/watch-resumption",
    response=list[ResumedOut],
    summary="Go on with all watches that the closing stopped",
)
def resume_watches(request: HttpRequest, reference: str) -> list[watching.Resumed]:
    return watching.resume_all(case=open_case_of(request, reference), actor=person(request))
