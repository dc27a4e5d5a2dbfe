"""What queries on a case's own tables are given beside them, over HTTP: feeds, places of addresses, file profiles."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from hunting.models import Feed, FeedFetch, PlacesFile, ProfilesFile
from hunting.services import feeds, supplies
from ircase.access import require_administrator
from ircase.api.auth import person
from ircase.api.onefile import ONE_FILE
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import User
from ircase.services.transfer import uploads

router = Router(tags=["Supplies of hunts"])


class FeedIn(Schema):
    """An address that `externaldata` may read: https, on the public internet. With `is_prefix` everything below it; it
    then ends with a slash."""

    address: str = Field(min_length=1, max_length=1000)
    is_prefix: bool = False
    format: str = Field("", max_length=16, description="For queries that name none; empty: as the file's name says.")
    megabytes: int = Field(20, ge=1, le=feeds.MOST_MEGABYTES, description="Of the file as it comes, and as it unpacks.")
    refresh_hours: int = Field(24, ge=1, le=feeds.MOST_HOURS)
    enabled: bool = True
    why: str = Field("", max_length=500)


class FeedOut(Schema):
    """A feed with its last fetch: `last_sha256` empty where it failed (`last_error`), null where there was none."""

    id: int
    address: str
    is_prefix: bool
    format: str
    megabytes: int
    refresh_hours: int
    enabled: bool
    why: str
    allowed_by: str
    allowed_at: datetime
    fetch_asked_at: datetime | None
    last_at: datetime | None
    last_sha256: str | None
    last_bytes: int | None
    last_error: str | None

    @staticmethod
    def resolve_megabytes(feed: Feed) -> int:
        return max(1, feed.max_bytes // 2**20)

    @staticmethod
    def resolve_allowed_by(feed: Feed) -> str:
        return feed.allowed_by.username


class FetchOut(Schema):
    """A try: what came, by its SHA-256, or why nothing did."""

    address: str
    at: datetime
    sha256: str
    bytes: int
    error: str


class InstalledOut(Schema):
    id: int
    name: str
    sha256: str
    size: int
    uploaded_by: str
    uploaded_at: datetime
    withdrawn_at: datetime | None

    @staticmethod
    def resolve_uploaded_by(row: PlacesFile | ProfilesFile) -> str:
        return row.uploaded_by.username


class PlacesOut(InstalledOut):
    """`kind` and `built_at` are the database's own words."""

    kind: str
    built_at: datetime
    is_old: bool


class DatabaseOut(Schema):
    """The database of places in use."""

    name: str
    sha256: str
    kind: str
    built_at: datetime
    from_setting: bool
    is_old: bool


class SuppliesOut(Schema):
    """`database` is what is used: the setting's, else `places`, the newest uploaded one. `problem`: why the setting's
    cannot be. Of files Defender is asked `calls` times a run at most; its answers are kept for `hours`."""

    database: DatabaseOut | None
    problem: str
    places: PlacesOut | None
    profiles: InstalledOut | None
    hours: int
    calls: int


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    require_administrator(user)
    return user


def _feed(pk: int) -> Feed:
    found: Feed = get_object_or_404(Feed.objects.with_last().select_related("allowed_by"), pk=pk)
    return found


def _filled(feed: Feed, body: FeedIn) -> Feed:
    for name, value in body.dict(exclude={"megabytes"}).items():
        setattr(feed, name, value)
    feed.max_bytes = body.megabytes * 2**20
    return feed


@router.get("/supplies", response=SuppliesOut, summary="What is used for places of addresses and file profiles")
def get_supplies(request: HttpRequest) -> dict[str, Any]:
    _administrator(request)
    database, problem = supplies.setting_database() if settings.PLACES_FILE else (supplies.database(), "")
    return {
        "database": database,
        "problem": problem,
        "places": PlacesFile.objects.filter(withdrawn_at=None).select_related("uploaded_by").first(),
        "profiles": supplies.profiles_file(),
        "hours": settings.FILE_PROFILE_HOURS,
        "calls": settings.FILE_PROFILE_CALLS,
    }


@router.post(
    "/supplies/places", response={201: PlacesOut}, openapi_extra=ONE_FILE, summary="Use a database of places (.mmdb)"
)
def install_places(request: HttpRequest) -> Status[PlacesFile]:
    """A GeoLite2 City or Country database, the field `file` of multipart/form-data."""
    user = _administrator(request)
    with uploads.receive_one(request, supplies.PLACES_BYTES) as file:
        return Status(201, supplies.install_places(file=file, actor=user))


@router.delete("/supplies/places/{pk}", response=PlacesOut, summary="Use a database of places no longer")
def withdraw_places(request: HttpRequest, pk: int) -> PlacesFile:
    """The one before it is used again. The file is kept for manifests that name it."""
    user = _administrator(request)
    row = get_object_or_404(PlacesFile.objects.select_related("uploaded_by"), pk=pk)
    supplies.withdraw(row=row, actor=user)
    return row


@router.post(
    "/supplies/profiles", response={201: InstalledOut}, openapi_extra=ONE_FILE, summary="Use a table of file profiles"
)
def install_profiles(request: HttpRequest) -> Status[ProfilesFile]:
    """A CSV with SHA1 or SHA256 and other columns of FileProfile(), the field `file` of multipart/form-data."""
    user = _administrator(request)
    with uploads.receive_one(request, supplies.PROFILES_BYTES) as file:
        return Status(201, supplies.install_profiles(file=file, actor=user))


@router.delete("/supplies/profiles/{pk}", response=InstalledOut, summary="Use a table of file profiles no longer")
def withdraw_profiles(request: HttpRequest, pk: int) -> ProfilesFile:
    user = _administrator(request)
    row = get_object_or_404(ProfilesFile.objects.select_related("uploaded_by"), pk=pk)
    supplies.withdraw(row=row, actor=user)
    return row


@router.get("/feeds", response=Page[FeedOut], summary="Addresses that externaldata may read")
def list_feeds(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(Feed.objects.with_last().select_related("allowed_by"), window)


@router.post("/feeds", response={201: FeedOut}, summary="Allow an address")
def allow_feed(request: HttpRequest, body: FeedIn) -> Status[Feed]:
    """A worker fetches it at once, unless it stands for what lies below it."""
    user = _administrator(request)
    return Status(201, _feed(feeds.save_feed(feed=_filled(Feed(), body), actor=user).pk))


@router.get("/feeds/{pk}", response=FeedOut, summary="One feed")
def get_feed(request: HttpRequest, pk: int) -> Feed:
    _administrator(request)
    return _feed(pk)


@router.put("/feeds/{pk}", response=FeedOut, summary="Change what is allowed")
def change_feed(request: HttpRequest, pk: int, body: FeedIn) -> Feed:
    user = _administrator(request)
    feeds.save_feed(feed=_filled(get_object_or_404(Feed, pk=pk), body), actor=user)
    return _feed(pk)


@router.post("/feeds/{pk}/fetch", response={202: FeedOut}, summary="Have a worker fetch it now")
def fetch_feed(request: HttpRequest, pk: int) -> Status[Feed]:
    user = _administrator(request)
    feeds.ask_fetch(feed=get_object_or_404(Feed, pk=pk), actor=user)
    return Status(202, _feed(pk))


@router.get("/feeds/{pk}/fetches", response=Page[FetchOut], summary="The tries to fetch it, the latest first")
def list_fetches(request: HttpRequest, pk: int, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(FeedFetch.objects.filter(feed=get_object_or_404(Feed, pk=pk)), window)
