"""The site, for administrators: its health, the evidence store, retention policies, the log, who reaches how much."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import Field

from ircase import access
from ircase.api.auth import person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.api.schemas import LogOut, inline
from ircase.models import Classification, Connection, Evidence, LogEntry, RetentionPolicy, StoreSurvey, Tlp, User
from ircase.services import health
from ircase.services.identity import policies
from ircase.services.vault import retention, storehealth

router = Router(tags=["Administration"])
_LONGEST: Final = 36_500


class HealthPart(Schema):
    """`state` is healthy, degraded or down; `essential` parts decide whether IRCase is ready."""

    name: str
    state: str
    text: str
    essential: bool


class SiteHealth(Schema):
    parts: list[HealthPart]
    people: int = Field(description="Accounts that may sign in.")
    connections: int


class SurveyOut(Schema):
    """One look at everything that the store lists. `at` is null while it waits; sizes in bytes."""

    asked_at: datetime
    at: datetime | None
    files: int
    size: int
    encrypted: int
    keys: dict[str, int]
    orphans: int
    orphan_size: int
    altered: int
    leftovers: int
    removed: int
    problem: str


class StoreFault(Schema):
    """An exhibit whose file is altered or missing, of a case that you may see."""

    case: str
    exhibit: str
    uuid: UUID
    integrity: str

    @staticmethod
    def resolve_case(item: Evidence) -> str:
        return item.case.reference


class StoreFact(Schema):
    """What the store itself answers about how it keeps things."""

    what: str
    answer: str


class StoreOut(Schema):
    """`lock` is what the settings ask for, `says` what the store answers; `drops_drafts`: it drops half-written objects
    by itself. `faults` are of cases that you may see, at most 100; `hidden_faults` counts those of others. `free` in
    bytes, where the store knows it. `oldest_look`: every file was seen to be right since then."""

    kind: str
    where: str
    problem: str
    free: int | None
    encrypted: bool
    key_id: str
    keys: dict[str, int]
    lock: str
    says: list[StoreFact]
    drops_drafts: bool
    exhibits: int
    oldest_look: datetime | None
    overdue: int
    rehash_days: int
    faults: list[StoreFault]
    hidden_faults: int
    removals: int
    removal_problem: str
    survey: SurveyOut | None
    waiting: bool

    @staticmethod
    def resolve_says(shown: storehealth.Picture) -> list[dict[str, str]]:
        return [{"what": what, "answer": answer} for what, answer in shown.says]


class SurveyAsked(Schema):
    remove: bool = Field(False, description="Take away what no record holds, and is older than a day.")


class RetentionPolicyIn(Schema):
    """Evidence of closed cases that fits is due for review after so many days. What is empty fits everything; where
    several policies fit, the longest counts."""

    name: str = Field(min_length=1, max_length=100)
    tlp: Annotated[Tlp | None, inline(Tlp)] = None
    classification: Annotated[Classification | None, inline(Classification)] = None
    kind: Annotated[Evidence.Kind | None, inline(Evidence.Kind)] = None
    days: int = Field(ge=1, le=_LONGEST)
    why: str = Field(min_length=1, max_length=1000, description="The rule or contract that it follows.")
    enabled: bool = True

    def fields(self) -> dict[str, Any]:
        return {name: "" if value is None else value for name, value in self.dict().items()}


class RetentionPolicyOut(Schema):
    id: int
    name: str
    tlp: str
    classification: str
    kind: str
    days: int
    why: str
    enabled: bool
    changed_by: str
    changed_at: datetime

    @staticmethod
    def resolve_changed_by(policy: RetentionPolicy) -> str:
        return policy.changed_by.username


class LogAsked(Window):
    action: str = Field("", max_length=100, description="Part of the action's code.")
    actor: str = Field("", max_length=150, description="Part of the actor's name.")


class Reach(Schema):
    """Of how many cases somebody is lead, analyst or viewer: never which."""

    username: str
    name: str
    site_role: str
    is_active: bool
    leads: int
    writes: int
    reads: int
    last_case: datetime | None
    last_login: datetime | None
    second_factor: str

    @staticmethod
    def resolve_second_factor(user: User) -> str:
        """At Microsoft, on or off."""
        if getattr(user, "entra", None):
            return "microsoft"
        factor = getattr(user, "second_factor", None)
        has_code = factor is not None and factor.confirmed_at
        return "on" if has_code or user.has_passkey else "off"  # type: ignore[attr-defined]


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


@router.get("/site/health", response=SiteHealth, summary="Is everything there that IRCase needs")
def get_health(request: HttpRequest) -> dict[str, Any]:
    _administrator(request)
    return {
        "parts": health.everything(),
        "people": User.objects.filter(is_active=True).count(),
        "connections": Connection.objects.count(),
    }


@router.get("/site/storage", response=StoreOut, summary="How the evidence store is")
def get_storage(request: HttpRequest) -> storehealth.Picture:
    return storehealth.picture(_administrator(request))


@router.post("/site/storage/surveys", response={202: SurveyOut}, summary="Have a worker look through the store")
def survey_storage(request: HttpRequest, body: SurveyAsked) -> Status[StoreSurvey]:
    """One at a time. With `remove` it also takes away what no record holds."""
    return Status(202, storehealth.ask_survey(actor=_administrator(request), remove=body.remove))


@router.get("/retention-policies", response=Page[RetentionPolicyOut], summary="How long evidence is kept")
def list_policies(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(RetentionPolicy.objects.select_related("changed_by"), window)


@router.post("/retention-policies", response={201: RetentionPolicyOut}, summary="Make a policy")
def make_policy(request: HttpRequest, body: RetentionPolicyIn) -> Status[RetentionPolicy]:
    policy = RetentionPolicy(**body.fields())
    return Status(201, retention.save_policy(policy=policy, actor=_administrator(request)))


@router.put("/retention-policies/{pk}", response=RetentionPolicyOut, summary="Change a policy")
def change_policy(request: HttpRequest, pk: int, body: RetentionPolicyIn) -> RetentionPolicy:
    user = _administrator(request)
    policy: RetentionPolicy = get_object_or_404(RetentionPolicy, pk=pk)
    for name, value in body.fields().items():
        setattr(policy, name, value)
    return retention.save_policy(policy=policy, actor=user)


@router.get("/site/log", response=Page[LogOut], summary="What happened that belongs to no case")
def list_site_log(request: HttpRequest, asked: Query[LogAsked]) -> dict[str, Any]:
    _administrator(request)
    rows = LogEntry.objects.filter(chain="site", action__icontains=asked.action, actor_name__icontains=asked.actor)
    return page_of(rows, asked)


@router.get("/site/access", response=Page[Reach], summary="Everybody, and of how many cases they are members")
def list_reach(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(policies.reach(), window)
