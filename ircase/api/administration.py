"""Administration by program: people, teams, sessions; and the audit. What administrators may in the browser."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Schema, Status
from pydantic import AwareDatetime, Field

from ircase import access
from ircase.api.auth import person
from ircase.api.paging import Page, Router, Window, page_of
from ircase.models import Team, TeamMember, User
from ircase.services.identity import accounts, sessions, teams

router = Router(tags=["Administration"])


class PersonOut(Schema):
    username: str
    name: str
    site_role: str
    is_active: bool
    last_login: AwareDatetime | None


class PersonIn(Schema):
    site_role: User.SiteRole | None = None
    is_active: bool | None = None


class TeamOut(Schema):
    id: int
    name: str
    description: str


class TeamIn(Schema):
    name: str = Field(max_length=80)
    description: str = Field("", max_length=300)


class TeamMemberOut(Schema):
    username: str
    name: str


def _administrator(request: HttpRequest) -> User:
    user = person(request)
    access.require_administrator(user)
    return user


@router.get("/people", response=Page[PersonOut], summary="Everybody with an account")
def list_people(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(User.objects.filter(elsewhere=None).order_by("username"), window)


@router.patch("/people/{username}", response=PersonOut, summary="Give another site role, shut out, let in again")
def change_person(request: HttpRequest, username: str, body: PersonIn) -> User:
    actor = _administrator(request)
    found = get_object_or_404(User, username=username, elsewhere=None)
    if body.site_role is not None:
        found.site_role = body.site_role
        accounts.edit_person(person=found, actor=actor)
    if body.is_active is not None and body.is_active != found.is_active:
        accounts.set_active(person=found, actor=actor, active=body.is_active)
    return found


@router.delete("/people/{username}/sessions", response={204: None}, summary="End every session of a person")
def end_sessions(request: HttpRequest, username: str) -> Status[None]:
    actor = _administrator(request)
    found = get_object_or_404(User, username=username, elsewhere=None)
    sessions.end_all_of(user=found, actor=actor, reason="ended by an administrator")
    return Status(204, None)


@router.get("/teams", response=Page[TeamOut], summary="Teams")
def list_teams(request: HttpRequest, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    return page_of(Team.objects.order_by("name"), window)


@router.post("/teams", response={201: TeamOut}, summary="Make a team")
def make_team(request: HttpRequest, body: TeamIn) -> Status[Team]:
    made = teams.save_team(team=Team(name=body.name, description=body.description), actor=_administrator(request))
    return Status(201, made)


@router.get("/teams/{pk}/members", response=Page[TeamMemberOut], summary="Who is in a team")
def list_team(request: HttpRequest, pk: int, window: Query[Window]) -> dict[str, Any]:
    _administrator(request)
    found = get_object_or_404(Team, pk=pk)
    return page_of(User.objects.filter(teams__team=found).order_by("username"), window)


@router.put("/teams/{pk}/members/{username}", response=TeamMemberOut, summary="Put somebody into a team")
def add_to_team(request: HttpRequest, pk: int, username: str) -> User:
    actor = _administrator(request)
    found, user = get_object_or_404(Team, pk=pk), get_object_or_404(User, username=username, elsewhere=None)
    teams.add_person(team=found, user=user, actor=actor)
    return user


@router.delete("/teams/{pk}/members/{username}", response={204: None}, summary="Take somebody out of a team")
def remove_from_team(request: HttpRequest, pk: int, username: str) -> Status[None]:
    actor = _administrator(request)
    member = get_object_or_404(TeamMember.objects.select_related("team", "user"), team=pk, user__username=username)
    teams.remove_person(team=member.team, user=member.user, actor=actor)
    return Status(204, None)
