"""Health: up, ready, and what is said when a part is away."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import DatabaseError
from django.test import TestCase
from redis.exceptions import ConnectionError as RedisConnectionError

from ircase.services import health
from tests.cast import CastTestCase


class FakeRedis:
    """Keys in memory, as much of Redis as health asks; `away` makes every call fail."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.lives: dict[str, int | None] = {}
        self.away = False

    def __enter__(self) -> "FakeRedis":
        return self

    def __exit__(self, *_: object) -> None: ...

    def _there(self) -> None:
        if self.away:
            raise RedisConnectionError("away")

    def ping(self) -> bool:
        self._there()
        return True

    def set(self, key: str, value: str, ex: int | None = None) -> None:
        self._there()
        self.keys[key], self.lives[key] = value.encode(), ex

    def get(self, key: str) -> bytes | None:
        self._there()
        return self.keys.get(key)

    def delete(self, key: str) -> None:
        self._there()
        self.keys.pop(key, None)

    def llen(self, key: str) -> int:
        self._there()
        return 7

    def scan_iter(self, match: str, count: int) -> Iterator[bytes]:
        self._there()
        return iter([key.encode() for key in self.keys if key.startswith(match.removesuffix("*"))])


@contextmanager
def redis() -> Iterator[FakeRedis]:
    fake = FakeRedis()
    with mock.patch("ircase.services.health.redis_client", return_value=fake):
        yield fake


class ReadinessTests(TestCase):
    def ready(self) -> tuple[int, dict[str, Any]]:
        reply = self.client.get("/readyz")
        return reply.status_code, reply.json()

    def test_up_needs_nothing(self) -> None:
        with mock.patch("django.db.backends.utils.CursorWrapper.execute", side_effect=DatabaseError):
            assert self.client.get("/healthz").json() == {"status": "up"}

    def test_ready_with_database_redis_and_a_worker(self) -> None:
        with redis() as fake:
            fake.set(f"{health.WORKER_KEY}host:1", "now")
            assert self.ready() == (
                200,
                {"status": "ready", "lacking": [],
                 "parts": {"database": "healthy", "redis": "healthy", "worker": "healthy"}},
            )  # fmt: skip

    def test_without_a_worker(self) -> None:
        with redis():
            status, body = self.ready()
        assert (status, body["lacking"]) == (503, ["worker"])

    def test_a_queue_that_nobody_takes_is_named(self) -> None:
        with redis() as fake:
            fake.set(f"{health.WORKER_KEY}host:1 celery", "now")
            status, body = self.ready()
            assert (status, body["lacking"]) == (503, ["worker"])
            said = next(part.text for part in health.essentials() if part.name == "worker")
            assert said == "No worker takes the queue devices; what is in it waits."
            fake.set(f"{health.WORKER_KEY}host:2 devices", "now")
            assert self.ready()[0] == 200

    def test_without_redis(self) -> None:
        with redis() as fake:
            fake.away = True
            status, body = self.ready()
        assert (status, body["lacking"]) == (503, ["redis", "worker"])

    def test_without_a_database(self) -> None:
        with (
            redis() as fake,
            mock.patch("ircase.services.health.connection.cursor", side_effect=DatabaseError("secret")),
        ):
            fake.set(f"{health.WORKER_KEY}host:1", "now")
            reply = self.client.get("/readyz")
        assert (reply.status_code, reply.json()["lacking"]) == (503, ["database"])
        assert "secret" not in reply.content.decode()


class PulseTests(TestCase):
    def test_a_pulse_keeps_a_key_that_ends_by_itself_and_takes_it_away_when_it_stops(self) -> None:
        with redis() as fake, mock.patch("ircase.services.health.PULSE_SECONDS", 0.01):
            pulse = health.Pulse()
            pulse.start()
            self.wait_until(lambda: pulse.key in fake.keys)
            assert fake.lives[pulse.key] == health.PULSE_LIFE
            pulse.stop()
            assert fake.keys == {}

    def test_a_redis_that_was_restarted_learns_of_the_worker_again(self) -> None:
        with redis() as fake, mock.patch("ircase.services.health.PULSE_SECONDS", 0.01):
            pulse = health.Pulse()
            pulse.start()
            self.wait_until(lambda: pulse.key in fake.keys)
            fake.away = True
            fake.keys.clear()
            time.sleep(0.05)
            fake.away = False
            self.wait_until(lambda: pulse.key in fake.keys)
            pulse.stop()

    @staticmethod
    def wait_until(done: Any) -> None:
        end = time.monotonic() + 10
        while not done():
            assert time.monotonic() < end, "the pulse did not beat"
            time.sleep(0.005)


class OverviewTests(CastTestCase):
    def test_an_administrator_sees_every_part_and_what_is_wrong(self) -> None:
        self.sign_in(self.ada)
        with redis() as fake:
            fake.set(f"{health.WORKER_KEY}host:1", "now")
            health.note_sweep()
            page = self.client.get("/administration/").content.decode()
            assert "1 alive: host:1" in page
            assert "14 messages wait for a worker." in page
            fake.away = True
            page = self.client.get("/administration/health/").content.decode()
        assert "Redis does not answer" in page

    def test_a_clock_that_stopped_is_said(self) -> None:
        with redis() as fake:
            fake.set(health.SWEEP_KEY, "2026-01-01T00:00:00+00:00")
            clock = next(part for part in health.everything() if part.name == "clock")
        assert clock.state == "degraded"
