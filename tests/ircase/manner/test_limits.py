"""Limits of a token and of a person, counted in a real Redis; without Redis nobody is held up."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import redis
from django.test import Client, override_settings

from ircase.api.manner import limits
from ircase.models import User
from ircase.services.identity import people
from tests.cast import make_user
from tests.msapi.conftest import RedisServer, redis_client, redis_server

__all__ = ["redis_client", "redis_server"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> User:
    return make_user("bob", User.SiteRole.ANALYST)


@pytest.fixture
def counted(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    with mock.patch.object(limits, "_client", lambda: redis_client), mock.patch.object(limits._away, "until", 0.0):
        yield redis_client


def ask(text: str) -> Any:
    return Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})


def test_a_token_is_held_at_its_limit(bob: User, counted: redis.Redis) -> None:
    one, other = (people.create_token(user=bob, name=name)[1] for name in ("one", "other"))
    with override_settings(API_PER_TOKEN=3, API_PER_PERSON=5):
        replies = [ask(one) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert 'token";r=2;t=' in replies[0].headers["RateLimit"]
        assert replies[0].headers["RateLimit-Policy"] == '"token";q=3;w=60, "person";q=5;w=60'
        assert 1 <= int(replies[3].headers["Retry-After"]) <= 60
        assert replies[3].json()["type"] == "urn:ircase:problem:too-many"
        assert ask(other).status_code == 200, "a token of its own, and the person has one left"
        assert ask(other).status_code == 429, "the person has none left"
        for key in counted.scan_iter("ircase:api:*"):
            assert 0 < counted.pttl(key) <= 60_000
            counted.delete(key)
        assert ask(one).status_code == 200, "a new window"


def test_without_redis_nobody_is_held_up(
    bob: User, counted: redis.Redis, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    text = people.create_token(user=bob, name="one")[1]
    redis_server.kill()
    try:
        with override_settings(API_PER_TOKEN=1, API_PER_PERSON=1):
            replies = [ask(text) for _ in range(3)]
    finally:
        redis_server.start()
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert "RateLimit" not in replies[0].headers
    assert [record.message for record in caplog.records].count("api.limits_off") == 1, "asked once, then left alone"


def test_off_is_off(bob: User) -> None:
    text = people.create_token(user=bob, name="one")[1]
    with mock.patch.object(limits, "_client", side_effect=AssertionError):
        assert ask(text).status_code == 200
