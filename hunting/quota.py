"""A turn at a tenant's API: all workers together ask no oftener than the tenant allows, urgent cases first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from hunting.models import HuntRun, Source
from ircase.quota import governor as governor
from ircase.work import Hold
from msapi.endpoint import Endpoint
from msapi.errors import GovernorUnavailable
from msapi.governor import Bucket, Governor, Granted, hunting_bucket, loganalytics_bucket

PATIENCE: Final = 60.0
"""Seconds a worker sits in the line; a longer wait gives the worker to other work, and the ticket keeps its place."""

NAP: Final = 1.0


class Later(Exception):
    """Not now. The row goes back to the queue for `seconds`; `reason`, `place` and `eta` (seconds) are for the person
    who waits."""

    def __init__(self, seconds: float, reason: str, place: int, eta: float) -> None:
        super().__init__(reason)
        self.seconds, self.reason, self.place, self.eta = seconds, reason, place, eta


@dataclass(frozen=True)
class Turn:
    """Leave to ask once, to be renewed while a long answer is read."""

    governor: Governor
    bucket: Bucket
    granted: Granted

    def renew(self) -> None:
        """A lapsed lease only lets another query in a little early, so an unreachable book is no reason to stop."""
        if self.bucket.concurrency:
            with suppress(GovernorUnavailable):
                self.governor.renew(self.granted)


def bucket_of(source: Source, endpoint: Endpoint) -> Bucket:
    return hunting_bucket(endpoint) if source == Source.DEFENDER else loganalytics_bucket(endpoint)


@contextmanager
def turn(run: HuntRun, endpoint: Endpoint, held: Hold, tick: Callable[[], None]) -> Iterator[Turn]:
    """A turn for this run; `tick` is called about every second of waiting. Raises Later, GovernorUnavailable, and what
    `tick` raises."""
    book, bucket = governor(), bucket_of(Source(run.source), endpoint)
    granted = _granted(book, bucket, run, held, tick)
    try:
        yield Turn(book, bucket, granted)
    finally:
        with suppress(GovernorUnavailable):
            book.release(granted)


def _granted(book: Governor, bucket: Bucket, run: HuntRun, held: Hold, tick: Callable[[], None]) -> Granted:
    waited = 0.0
    while True:
        answer = book.acquire(bucket, str(run.uuid), run.priority)
        if isinstance(answer, Granted):
            return answer
        held.progress(phase="waiting", place=answer.place, eta=round(answer.eta))
        if answer.eta > PATIENCE or waited >= PATIENCE:
            # Asked again within `seconds`, the ticket keeps its place.
            raise Later(answer.seconds, "Waiting for the tenant's hunting quota.", answer.place, answer.eta)
        nap = min(NAP, max(answer.seconds, 0.05))
        held.stop.wait(nap)
        waited += nap
        tick()


def penalise(run: HuntRun, endpoint: Endpoint, seconds: float) -> None:
    """After a 429: no worker asks for `seconds`. Raises GovernorUnavailable."""
    governor().penalise(bucket_of(Source(run.source), endpoint), seconds)


def leave(run: HuntRun, endpoint: Endpoint) -> None:
    """Give up the run's place in the line, when it has ended another way."""
    with suppress(GovernorUnavailable):
        governor().leave(bucket_of(Source(run.source), endpoint), str(run.uuid))
