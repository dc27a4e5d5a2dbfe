"""Who is there: in the head of a case and at a note's editor, counted in a real Redis; told to and about nobody who may
not see the case."""

import re
from collections.abc import Iterator
from unittest import mock

import pytest
import redis
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse

from ircase import presence
from ircase.models import Case, CaseLook, CaseRole, User
from ircase.services import cases
from ircase.services.writing import notes
from tests.cast import make_case, make_user
from tests.msapi.conftest import RedisServer, redis_client, redis_server

__all__ = ["redis_client", "redis_server"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def here(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    with mock.patch.object(presence, "_client", lambda: redis_client), mock.patch.object(presence._away, "until", 0.0):
        yield redis_client


@pytest.fixture
def cast() -> dict[str, User]:
    roles = {"alice": "analyst", "bob": "analyst", "carol": "manager", "mallory": "guest", "ada": "administrator"}
    return {name: make_user(name, role, last_name="Berg") for name, role in roles.items()}


@pytest.fixture
def case(cast: dict[str, User]) -> Case:
    return make_case(cast["alice"], analysts=(cast["bob"],))


def say(user: User, url: str, **more: str) -> HttpResponse:
    client = Client()
    client.force_login(user)
    return client.get(url, more, headers={"HX-Request": "true"})  # type: ignore[return-value]


def names(reply: HttpResponse) -> list[str]:
    assert reply.status_code == 200
    return re.findall(r'aria-label="([^"]+)"', reply.content.decode())


def head(case: Case) -> str:
    return reverse("ircase:presence", args=[case.reference])


def editor(case: Case, cast: dict[str, User]) -> str:
    note = notes.create_note(case=case, actor=cast["alice"], title="Minutes", body="")
    return reverse("ircase:note_writing", args=[case.reference, note.uuid])


def test_the_head_shows_who_else_is_there(cast: dict[str, User], case: Case) -> None:
    assert names(say(cast["alice"], head(case))) == []
    assert names(say(cast["bob"], head(case))) == ["Alice Berg"]
    assert names(say(cast["carol"], head(case))) == ["Alice Berg", "Bob Berg"]
    assert names(say(cast["alice"], head(case))) == ["Bob Berg", "Carol Berg"]


def test_another_case_has_its_own(cast: dict[str, User], case: Case) -> None:
    other = make_case(cast["alice"])
    say(cast["alice"], head(case))
    assert names(say(cast["bob"], head(other))) == []


def test_the_editor_says_who_else_edits(cast: dict[str, User], case: Case) -> None:
    url = editor(case, cast)
    assert b"editing" not in say(cast["alice"], url).content
    assert b"Alice Berg is editing this note" in say(cast["bob"], url).content
    assert b"Bob Berg is editing this note" in say(cast["alice"], url).content
    assert names(say(cast["bob"], head(case))) == [], "who edits says so of the note; their page says the rest"


def test_what_is_said_again_is_not_sent_again(cast: dict[str, User], case: Case) -> None:
    say(cast["alice"], head(case))
    first = say(cast["bob"], head(case))
    mark = re.findall(r'name="known" value="([^"]+)"', first.content.decode())[0]
    assert say(cast["bob"], head(case), known=mark).status_code == 204
    say(cast["carol"], head(case))
    assert names(say(cast["bob"], head(case), known=mark)) == ["Alice Berg", "Carol Berg"]


def test_whoever_leaves_is_forgotten(cast: dict[str, User], case: Case, here: redis.Redis) -> None:
    say(cast["alice"], head(case))
    (key,) = here.keys("ircase:here:*")
    assert 0 < here.ttl(key) <= presence.LIFE
    here.zadd(key, {str(cast["alice"].pk): 1})
    assert names(say(cast["bob"], head(case))) == []


def test_outsiders_learn_nothing_and_are_not_told_of(cast: dict[str, User], case: Case, here: redis.Redis) -> None:
    secret = make_case(cast["alice"], confidential=True)
    unknown = reverse("ircase:presence", args=["IR-2026-XAAAAAA"])
    for name in ("mallory", "ada"):
        for url in (head(case), editor(case, cast)):
            assert say(cast[name], url).status_code == 404
    for name in ("bob", "carol", "ada", "mallory"):
        assert say(cast[name], head(secret)).status_code == say(cast[name], unknown).status_code == 404
        assert say(cast[name], editor(secret, cast)).status_code == 404
    assert here.keys("ircase:here:*") == [], "and nothing is kept of their asking"
    assert say(cast["carol"], editor(case, cast)).status_code == 403, "a reader edits nothing"


def test_whoever_is_taken_off_the_case_is_shown_no_more(cast: dict[str, User]) -> None:
    secret = make_case(cast["alice"], analysts=(cast["bob"],), confidential=True)
    url = editor(secret, cast)
    for place in (head(secret), url):
        say(cast["bob"], place)
    assert names(say(cast["alice"], head(secret))) == ["Bob Berg"]
    cases.remove_member(case=secret, actor=cast["alice"], user=cast["bob"])
    assert names(say(cast["alice"], head(secret))) == []
    assert b"editing" not in say(cast["alice"], url).content
    cases.set_member(case=secret, actor=cast["alice"], user=cast["bob"], role=CaseRole.VIEWER)
    User.objects.filter(pk=cast["bob"].pk).update(is_active=False)
    assert names(say(cast["alice"], head(secret))) == []


def test_pages_ask_nothing_for_it(cast: dict[str, User], case: Case) -> None:
    client = Client()
    client.force_login(cast["alice"])
    page = client.get(reverse("ircase:log", args=[case.reference])).content.decode()
    assert f'hx-get="{head(case)}" hx-trigger="load"' in page
    with CaptureQueriesContext(connection) as asked:
        client.get(head(case), headers={"HX-Request": "true"})
    assert len(asked) <= 6
    assert not [query for query in asked if re.match("INSERT|UPDATE|DELETE", query["sql"])]
    say(cast["bob"], head(case))
    assert not CaseLook.objects.filter(actor=cast["bob"]).exists(), "a page that is left open looks at nothing anew"


def test_off_by_a_setting(cast: dict[str, User], case: Case, here: redis.Redis) -> None:
    client = Client()
    client.force_login(cast["alice"])
    url = editor(case, cast)
    with override_settings(PRESENCE=False):
        for page in (reverse("ircase:log", args=[case.reference]), url.replace("writing/", "edit/")):
            text = client.get(page).content.decode()
            assert head(case) not in text and url not in text
        for place in (head(case), url):
            assert say(cast["alice"], place).status_code == 286
    assert here.keys("ircase:here:*") == []


def test_without_redis_nobody_is_shown(cast: dict[str, User], case: Case, redis_server: RedisServer) -> None:
    say(cast["alice"], head(case))
    redis_server.kill()
    try:
        assert names(say(cast["bob"], head(case))) == []
    finally:
        redis_server.start()
