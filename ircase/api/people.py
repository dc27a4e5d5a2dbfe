"""Who the token acts for."""

from django.http import HttpRequest
from ninja import Schema

from ircase.api.auth import person
from ircase.api.paging import Router
from ircase.models import User

router = Router(tags=["You"])


class Me(Schema):
    username: str
    name: str
    site_role: str
    time_zone: str


@router.get("/me", response=Me, summary="Whose token this is")
def me(request: HttpRequest) -> User:
    return person(request)
