"""The audit, and teams on a case, by program."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access
from ircase.api.auth import case_of, has_scope, person
from ircase.api.paging import Router
from ircase.audit import Audit, Filters
from ircase.models import CaseRole, CaseTeam, Scope, Team
from ircase.services.identity import teams

router = Router(tags=["Who sees and did what"])


class AuditAsked(Schema):
    """`after` is `next` of the page before."""

    person: str = Field("", max_length=200)
    case: str = Field("", max_length=20)
    action: str = Field("", max_length=64)
    source: str = Field("", max_length=10)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    after: str = Field("", max_length=200)
    limit: int = Field(100, ge=1, le=1000)


class EntryOut(Schema):
    at: AwareDatetime
    source: str
    who: str
    action: str
    case: str
    detail: dict[str, Any]
    chain: str
    sequence: int
    digest: str
    intact: bool


class AuditPage(Schema):
    items: list[EntryOut]
    next: str


class CaseTeamOut(Schema):
    team: str
    team_id: int
    role: CaseRole
    added_at: AwareDatetime

    @staticmethod
    def resolve_team(link: CaseTeam) -> str:
        return link.team.name


class CaseTeamIn(Schema):
    role: CaseRole


@router.get("/audit", response=AuditPage, summary="Who did, saw, exported, changed what; newest first, paged by key")
def list_audit(request: HttpRequest, asked: Query[AuditAsked]) -> dict[str, Any]:
    """Of the site's own entries an administrator's token with the scope `administer` sees all, any other those of its
    person."""
    values, whole_site = asked.dict(exclude={"after", "limit"}), has_scope(request, Scope.ADMINISTER)
    entries, following = Audit(person(request), Filters(**values), whole_site).page(asked.after, asked.limit)
    return {"items": entries, "next": following}


@router.get("/cases/{reference}/teams", response=list[CaseTeamOut], summary="Teams on the case")
def list_case_teams(request: HttpRequest, reference: str) -> list[CaseTeam]:
    found = CaseTeam.objects.filter(case=case_of(request, reference)).select_related("team")
    return list(found.order_by("team__name"))


@router.put("/cases/{reference}/teams/{pk}", response=CaseTeamOut, summary="Put a team on the case, or change its role")
def set_case_team(request: HttpRequest, reference: str, pk: int, body: CaseTeamIn) -> CaseTeam:
    case = case_of(request, reference, access.LEAD)
    team = get_object_or_404(Team, pk=pk)
    return teams.set_on_case(case=case, team=team, role=body.role, actor=person(request))


@router.delete("/cases/{reference}/teams/{pk}", response={204: None}, summary="Take a team off the case")
def remove_case_team(request: HttpRequest, reference: str, pk: int) -> Status[None]:
    case = case_of(request, reference, access.LEAD)
    team = get_object_or_404(Team, pk=pk, cases__case=case)
    teams.take_off_case(case=case, team=team, actor=person(request))
    return Status(204, None)


@router.post("/cases/{reference}/access-reviews", response={204: None}, summary="Say that who sees the case is right")
def review(request: HttpRequest, reference: str) -> Status[None]:
    case = case_of(request, reference, access.LEAD)
    teams.review_access(case=case, actor=person(request))
    return Status(204, None)
