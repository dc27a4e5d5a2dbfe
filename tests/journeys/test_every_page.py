"""Every page of tests/permissions.yaml in the browser, on a case with one of everything: no barrier that axe-core
finds, no sideways scroll, no refused script, no error of the server.

Light and dark, wide and narrow come in turn from page to page; IRCASE_JOURNEY_LOOKS=all shows each page in all four.
"""

import os
from collections.abc import Iterator
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from ircase.models import Case, CaseRole, User
from ircase.services import cases
from tests.cast import make_case, make_connection, make_user
from tests.journeys.film import DESKTOP, PHONE, Film, Studio, film_folder
from tests.test_permissions import PAGES, TABLE, expected
from tests.world import World, make_world

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ROLES = {
    "lead": User.SiteRole.ANALYST,
    "analyst": User.SiteRole.ANALYST,
    "manager": User.SiteRole.MANAGER,
    "administrator": User.SiteRole.ADMINISTRATOR,
}
LOOKS = [(size, theme) for size in (DESKTOP, PHONE) for theme in ("light", "dark")]
FEWEST = 150  # fewer would say that the world no longer opens the doors


@pytest.fixture(autouse=True, scope="module")
def unsafe() -> Iterator[None]:
    """The browser's driver runs a loop in this thread, in which Django would refuse its own database."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.mark.timeout(1800)
def test_every_page_in_turn(live_server: LiveServer, browser: Browser, tmp_path: Path) -> None:
    people = {name: make_user(name, role) for name, role in ROLES.items()}
    for name in ("outsider", "viewer"):  # the world speaks of them
        make_user(name, User.SiteRole.GUEST)
    case = make_case(people["lead"], connection=make_connection())
    cases.set_member(case=case, actor=people["lead"], user=people["analyst"], role=CaseRole.ANALYST)
    world = make_world(Case.objects.visible_to(people["lead"]).get(pk=case.pk), asker=people["analyst"])
    clients = {name: Client(HTTP_HOST="localhost") for name in ("anonymous", *people)}
    for name, user in people.items():
        clients[name].force_login(user)

    studio = Studio(None, browser, film_folder(tmp_path))
    films = {name: _window(studio, live_server.url, name, client) for name, client in clients.items()}
    seen, turn = 0, cycle(LOOKS)
    for name, who, address in _addresses(world):
        if not _is_page(clients[who], address):
            continue
        seen += 1
        for size, theme in LOOKS if os.environ.get("IRCASE_JOURNEY_LOOKS") == "all" else [next(turn)]:
            _look(films[who], address, name, size, theme)
    faults = studio.close()
    assert not faults, "\n".join(faults)
    assert seen >= FEWEST, f"only {seen} pages were there to be seen"


def _window(studio: Studio, url: str, name: str, client: Client) -> Film:
    film = studio.open(name, base_url=url)
    film.page.context.add_cookies(
        [{"name": key, "value": one.value, "url": url} for key, one in client.cookies.items()]
    )
    return film


def _addresses(world: World) -> Iterator[tuple[str, str, str]]:
    """(row of the table, who may see it, address), each address once."""
    for row, methods in TABLE["pages"].items():
        if "GET" not in methods or row not in PAGES:
            continue
        who = next((one for one in (*ROLES, "anonymous") if expected(methods["GET"], one, hidden=False) == "ok"), None)
        if expected(methods["GET"], "anonymous", hidden=False) == "ok":
            who = "anonymous"
        name, pattern = PAGES[row]
        if who:
            arguments: dict[str, Any] = {key: world.value(row, key) for key in pattern.pattern.converters}
            yield row, who, reverse(name, kwargs=arguments)


def _is_page(client: Client, address: str) -> bool:
    """A whole page: not a fragment, a file or a way on to another page."""
    reply = client.get(address)
    html = str(reply.headers.get("Content-Type", "")).startswith("text/html") and not reply.streaming
    return reply.status_code == HTTPStatus.OK and html and reply.content.lstrip()[:9].lower() == b"<!doctype"


def _look(film: Film, address: str, name: str, size: tuple[int, int], theme: str) -> None:
    film.page.set_viewport_size({"width": size[0], "height": size[1]})
    film.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    film.go(address)
    film.scene(f"{name.replace(':', '-')}-{size[0]}-{theme}")
