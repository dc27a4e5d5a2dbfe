"""Who the token acts for, and what there is to choose from."""

from django.http import HttpRequest
from ninja import Router, Schema

from ircase import catalogue, shelf
from ircase.api.auth import person
from ircase.models import User

router = Router(tags=["You"])


class Me(Schema):
    username: str
    name: str
    site_role: str
    time_zone: str


class PlaybookOut(Schema):
    id: str
    version: int
    title: str


@router.get("/me", response=Me, summary="Whose token this is")
def me(request: HttpRequest) -> User:
    return person(request)


@router.get("/playbooks", response=list[PlaybookOut], summary="Templates for a case")
def list_playbooks(request: HttpRequest) -> list[catalogue.Playbook]:
    return shelf.usable()
