"""A worker's hold on a row: it beats while the work goes on, and says when to stop."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from ircase.models import Job, JobQuerySet

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """The row was taken away (another worker has it) or a person asked to stop."""


class Hold:
    """Keeps one claimed row alive from a thread of its own. Share `stop` with whatever can be interrupted."""

    def __init__(self, rows: JobQuerySet[Any], job: Job) -> None:
        self.rows, self.pk, self.owner = rows, job.pk, job.owner
        self.stop = threading.Event()
        self._done = threading.Event()
        self._progress: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self._beat, name=f"beat-{self.pk}", daemon=True)

    def progress(self, **values: Any) -> None:
        """Shown to the person with the next beat."""
        self._progress = {**(self._progress or {}), **values}

    def check(self) -> None:
        """Raise Stopped when the work should end. Call it between steps."""
        if self.stop.is_set():
            raise Stopped

    def beat_now(self) -> None:
        if not self.rows.beat(self.pk, self.owner, self._progress):
            self.stop.set()

    def _beat(self) -> None:
        # Short first: progress is on screen within a second or two, then the calm rhythm of the setting.
        wait = min(settings.FIRST_BEAT_SECONDS, settings.HEARTBEAT_SECONDS)
        try:
            while not self._done.wait(wait):
                close_old_connections()
                # A database that is busy for a moment must not end the pulse: the next beat comes well before the row
                # counts as silent.
                try:
                    self.beat_now()
                except DatabaseError as error:
                    logger.warning("work.beat_missed", extra={"row": self.pk, "error": type(error).__name__})
                wait = min(wait * 1.5, settings.HEARTBEAT_SECONDS)
        finally:
            connection.close()

    def __enter__(self) -> "Hold":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=10)


def new_owner() -> str:
    """A name for one claim: where it runs, and a random part so that no two claims share it."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


@contextmanager
def hold(rows: JobQuerySet[Any], job: Job) -> Iterator[Hold]:
    with Hold(rows, job) as held:
        yield held
