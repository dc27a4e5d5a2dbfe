"""A turn at a tenant's API: all workers together ask no oftener than the tenant allows, urgent cases first."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from hunting.models import HuntRun, Source
from ircase.quota import governor as governor
from ircase.services import connections
from ircase.work import Hold
from msapi.endpoint import Endpoint
from msapi.errors import Cancelled, GovernorUnavailable
from msapi.governor import Bucket, Governor, Granted, hunting_bucket, loganalytics_bucket
from msapi.kusto import kusto_bucket

PATIENCE: Final = 60.0
"""Seconds a worker sits in the line; a longer wait gives the worker to other work, and the ticket keeps its place."""

SITTERS: Final = 5
"""How many of the line have a worker waiting beside them. The others wait without one."""

NAP: Final = 1.0


class Later(Exception):
    """Not now. The row goes back to the queue for `seconds`; `reason`, `place` and `eta` (seconds) are for the person
    who waits."""

    def __init__(self, seconds: float, reason: str, place: int, eta: float) -> None:
        super().__init__(reason)
        self.seconds, self.reason, self.place, self.eta = seconds, reason, place, eta


@dataclass
class Turn:
    """Leave to ask once, to be renewed while a long answer is read, and taken again for the next slice."""

    governor: Governor
    bucket: Bucket
    run: HuntRun
    held: Hold
    granted: Granted | None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """A lapsed lease only lets another query in a little early, so an unreachable book is no reason to stop."""
        with self._lock:
            if self.bucket.concurrency and self.granted is not None:
                with suppress(GovernorUnavailable):
                    self.governor.renew(self.granted)

    def give_back(self) -> None:
        with self._lock:
            if self.granted is not None:
                with suppress(GovernorUnavailable):
                    self.governor.release(self.granted)
                self.granted = None

    def again(self) -> None:
        """Give the turn back and take the next, at the end of the line. Touches no database, so that it may be called
        where the answer is read. Raises Later, Cancelled, GovernorUnavailable."""
        self.give_back()
        granted = _granted(self.governor, self.bucket, self.run, self.held, self._check)
        with self._lock:
            self.granted = granted

    def _check(self) -> None:
        if self.held.stop.is_set():
            raise Cancelled("The run was stopped between two slices.")


def bucket_of(run: HuntRun, endpoint: Endpoint) -> Bucket:
    """The book's page for the API that the run asks. The service does not say what its processor quota is in seconds;
    an administrator who knows sets `hunting_cpu_seconds` for 15 minutes, else only its 429 tells."""
    if Source(run.source).on_cluster and run.connection is not None:
        return kusto_bucket(connections.cluster(run.connection))
    if Source(run.source) != Source.DEFENDER:
        return loganalytics_bucket(endpoint)
    limits = run.connection.limits if run.connection is not None else {}
    known = {"cpu_seconds": "hunting_cpu_seconds", "concurrency": "hunting_concurrency"}
    own = {name: limits[key] for name, key in known.items() if key in limits}
    return replace(hunting_bucket(endpoint), **own)


def flow_of(run: HuntRun) -> str:
    """Whose turn it is: runs of one hunt for one case, of one urgency, wait behind each other only."""
    return f"{run.case_id}|{run.hunt_id or run.kql_sha256[:16]}|{run.priority}"


@contextmanager
def turn(run: HuntRun, endpoint: Endpoint, held: Hold, tick: Callable[[], None]) -> Iterator[Turn]:
    """A turn for this run; `tick` is called about every second of waiting. Raises Later, GovernorUnavailable, and what
    `tick` raises."""
    book, bucket = governor(), bucket_of(run, endpoint)

    def make_way() -> bool:
        return HuntRun.objects.before(run.pk) is not None

    taken = Turn(book, bucket, run, held, _granted(book, bucket, run, held, tick, make_way))
    try:
        yield taken
    finally:
        taken.give_back()


def _granted(
    book: Governor,
    bucket: Bucket,
    run: HuntRun,
    held: Hold,
    tick: Callable[[], None],
    make_way: Callable[[], bool] = lambda: False,
) -> Granted:
    """`make_way` says whether a more urgent run has no worker; this one's is then free for it."""
    waited = 0.0
    while True:
        answer = book.acquire(bucket, str(run.uuid), run.priority, flow_of(run))
        if isinstance(answer, Granted):
            return answer
        held.progress(phase="waiting", place=answer.place, eta=round(answer.eta))
        if answer.place > SITTERS or answer.eta > PATIENCE or waited >= PATIENCE or make_way():
            # Asked again within `seconds`, the ticket keeps its place.
            raise Later(answer.seconds, "Waiting for the tenant's hunting quota.", answer.place, answer.eta)
        nap = min(NAP, max(answer.seconds, 0.05))
        held.stop.wait(nap)
        waited += nap
        tick()


def penalise(run: HuntRun, endpoint: Endpoint, seconds: float) -> None:
    """After a 429: no worker asks for `seconds`. Raises GovernorUnavailable."""
    governor().penalise(bucket_of(run, endpoint), seconds)


def first(run: HuntRun, endpoint: Endpoint) -> list[str]:
    """The tickets (uuids of runs) at the front of the line that the run stands or stood in. Raises
    GovernorUnavailable."""
    return governor().first(bucket_of(run, endpoint), SITTERS)


def leave(run: HuntRun, endpoint: Endpoint) -> None:
    """Give up the run's place in the line, when it has ended another way."""
    with suppress(GovernorUnavailable):
        governor().leave(bucket_of(run, endpoint), str(run.uuid), flow_of(run))
