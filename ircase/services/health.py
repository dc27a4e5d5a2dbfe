"""Is everything there that IRCase needs: the database, Redis, a worker that lives, room on the disk?

A worker says that it lives by refreshing a key in Redis from a thread of its own. The key ends by itself, so a worker
that was killed is known to be gone; a Redis that was restarted learns of each worker again within seconds.
"""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from ircase.models import Activity, Evidence, JobState, StatementStamp

logger = logging.getLogger(__name__)

PULSE_SECONDS: Final = 4.0
PULSE_LIFE: Final = 15  # seconds without a beat after which a worker counts as gone
WORKER_KEY: Final = "ircase:worker:"
SWEEP_KEY: Final = "ircase:last-sweep"
QUEUES: Final = frozenset(("celery", "devices"))  # lists in Redis; every one needs a worker that takes it
_STAMP_PATIENCE: Final = timedelta(hours=1)
LOW_DISK: Final = 5 * 2**30
_MOST_WORKERS: Final = 1000


@dataclass(frozen=True)
class Part:
    """One thing that must be well. `state` is healthy, degraded or down; `essential` parts decide readiness."""

    name: str
    state: str
    text: str
    essential: bool = False

    @property
    def is_down(self) -> bool:
        return self.state == "down"


def redis_client() -> Redis:
    """A client that gives up within a second: a health check that hangs is worse than one that fails."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def essentials() -> list[Part]:
    """What `/readyz` asks: cheap enough for every few seconds, and without words that help a stranger."""
    return [_database(), *_redis_and_workers()]


def everything() -> list[Part]:
    """What an administrator sees."""
    return [*essentials(), _sweep(), _queue(), _disk(), _jobs(), _evidence(), *_stamps()]


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part("database", "down", "The database does not answer.", essential=True)
    return Part("database", "healthy", connection.display_name, essential=True)


def _redis_and_workers() -> list[Part]:
    try:
        client = redis_client()
        client.ping()
        workers = sorted(_workers(client))
    except (RedisError, OSError):
        return [
            Part("redis", "down", "Redis does not answer; nothing runs in the background.", essential=True),
            Part("worker", "down", "Unknown while Redis is away.", essential=True),
        ]
    redis = Part("redis", "healthy", "Answers.", essential=True)
    if not workers:
        return [redis, Part("worker", "down", "No worker is alive; what is queued waits.", essential=True)]
    if left := QUEUES - {queue for worker in workers for queue in _taken_by(worker)}:
        text = f"No worker takes the queue {', '.join(sorted(left))}; what is in it waits."
        return [redis, Part("worker", "down", text, essential=True)]
    return [redis, Part("worker", "healthy", f"{len(workers)} alive: {', '.join(workers)[:200]}", essential=True)]


def _workers(client: Redis) -> list[str]:
    found = []
    for key in client.scan_iter(match=f"{WORKER_KEY}*", count=200):
        found.append(key.decode("utf-8", "replace").removeprefix(WORKER_KEY))
        if len(found) == _MOST_WORKERS:
            break
    return found


def _taken_by(worker: str) -> frozenset[str]:
    """The queues in a worker's name, as in ``host:1 devices``. One that names none takes every queue."""
    _, _, said = worker.partition(" ")
    return frozenset(said.split("+")) if said else QUEUES


def _from_redis(name: str, ask: Callable[[Redis], Part]) -> Part:
    try:
        return ask(redis_client())
    except (RedisError, OSError):
        return Part(name, "degraded", "Unknown while Redis is away.")


def _sweep() -> Part:
    def ask(client: Redis) -> Part:
        kept = client.get(SWEEP_KEY)
        if kept is None:
            return Part("clock", "degraded", "No tick since Redis was started. Is `celery beat` running?")
        at = datetime.fromisoformat(kept if isinstance(kept, str) else kept.decode())
        age = (timezone.now() - at).total_seconds()
        late = age > max(60.0, settings.SWEEP_SECONDS * 4)
        text = f"Last tick {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {age:.0f} s ago."
        return Part("clock", "degraded" if late else "healthy", text)

    return _from_redis("clock", ask)


def _queue() -> Part:
    def ask(client: Redis) -> Part:
        waiting = sum(int(client.llen(queue)) for queue in QUEUES)
        return Part("queue", "degraded" if waiting > 1000 else "healthy", f"{waiting:,} messages wait for a worker.")

    return _from_redis("queue", ask)


def _disk() -> Part:
    folder: Path = settings.DATA_DIR
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    text = f"{filesizeformat(usage.free)} free of {filesizeformat(usage.total)} where evidence is kept."
    low = usage.free < LOW_DISK
    return Part("disk", "degraded" if low else "healthy", text + (" Make room: nothing can be sealed without." * low))


def _jobs() -> Part:
    open_jobs = Activity.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING])
    queued = open_jobs.filter(state=JobState.QUEUED).count()
    return Part("jobs", "healthy", f"{queued:,} queued, {open_jobs.count() - queued:,} running.")


def _evidence() -> Part:
    bad = Evidence.objects.filter(integrity__in=[Evidence.Integrity.ALTERED, Evidence.Integrity.MISSING]).count()
    if bad:
        what = "1 file is" if bad == 1 else f"{bad:,} files are"
        return Part("evidence", "down", f"{what} altered or missing; manage.py verify_evidence names them.")
    return Part("evidence", "healthy", "No file is known to be altered or missing.")


def _stamps() -> list[Part]:
    """Where statements are stamped (RFC 3161): whether they are."""
    if not settings.TSA_URL:
        return []
    waiting = StatementStamp.objects.filter(at=None).select_related("statement")
    given_up = waiting.exclude(given_up_at=None).count()
    late = waiting.filter(statement__at__lt=timezone.now() - _STAMP_PATIENCE).order_by("statement__number").first()
    if given_up or late:
        why = f" {late.problem}" if late and late.problem else ""
        text = f"{given_up} given up." if given_up else "The oldest waits for more than an hour."
        return [Part("time stamps", "degraded", f"{text}{why} See Statements.")]
    last = StatementStamp.objects.exclude(at=None).order_by("-statement__number").values_list("at", flat=True).first()
    return [Part("time stamps", "healthy", f"The last is of {last:%Y-%m-%d %H:%M} UTC." if last else "None yet.")]


def note_sweep() -> None:
    """Beat's tick reached a worker."""
    try:
        redis_client().set(SWEEP_KEY, timezone.now().isoformat())
    except (RedisError, OSError):
        logger.warning("health.redis_unreachable")


class Pulse:
    """A worker's thread that keeps its key alive until it is stopped."""

    def __init__(self) -> None:
        self.key = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self, queues: Iterable[str] = ()) -> None:
        """`queues`: those that the worker takes, if not all."""
        self.key = f"{WORKER_KEY}{socket.gethostname()}:{os.getpid()} {'+'.join(sorted(queues))}".rstrip()
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)
        self._tell(lambda client: client.delete(self.key))

    def _beat(self) -> None:
        while True:
            self._tell(lambda client: client.set(self.key, timezone.now().isoformat(), ex=PULSE_LIFE))
            if self._done.wait(PULSE_SECONDS):
                return

    def _tell(self, say: Callable[[Redis], Any]) -> None:
        """A new connection each time: one that is kept may be of a Redis that is no more."""
        try:
            with redis_client() as client:
                say(client)
        except (RedisError, OSError):
            logger.warning("health.redis_unreachable", extra={"worker": self.key})
