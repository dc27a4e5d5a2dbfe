"""One poll is one move: lease the row, let its machine do one thing, and settle what went wrong.

Every move is safe to lose and safe to repeat: what it found is written in one conditional update while the lease is
still ours. The machines of a collection and of a response action differ; this is what they share.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Connection
from ircase.store import StoreError
from liveresponse.models import PolledQuerySet, lease
from liveresponse.models.polled import REQUESTED, PolledT
from msapi.errors import ApiError, InvalidParameter

logger = logging.getLogger(__name__)
TenantT = TypeVar("TenantT")

TROUBLE_LIMIT: Final = 40
BACKOFF, BACKOFF_CAP = 10.0, 300.0
STORE_WAIT: Final = 60.0
SOON: Final = 60.0


class Refused(Exception):
    """The job must not go on; the message says why and what to do."""


class NotYet(Exception):
    """Nothing is wrong, but the quota has no room for the call: the same move again in `seconds`."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


UNCERTAIN: Final = (
    "It is not certain whether Defender took the request: look at the device's actions in the portal before you ask "
    "again."
)
"""Said where the poller gives up on a submission whose answer never came."""


class Lost(Exception):
    """Another worker holds the lease now: end quietly."""


@dataclass(frozen=True)
class Machine(Generic[PolledT, TenantT]):
    """What the poller is told about one kind of row. `end` and `note` are the services that write an end and a line of
    the log; `task` moves one row by its primary key."""

    rows: Callable[[], PolledQuerySet[PolledT]]
    task: str
    move: Callable[[PolledT, str, TenantT], None]
    end: Callable[[PolledT, Literal["failed", "refused"], str], None]
    note: Callable[[PolledT, str, str], None]


def advance(
    machine: Machine[PolledT, TenantT],
    pk: int,
    owner: str,
    opener: Callable[[Connection], AbstractContextManager[TenantT]],
) -> None:
    """Lease row `pk` and make one move. Nothing happens when it is not due or another worker has it."""
    row: Any = machine.rows().take(pk, owner)
    if row is None:
        return
    with _kept(machine, row, owner):
        try:
            with opener(row.connection) as tenant:
                machine.move(row, owner, tenant)
        except Lost:
            logger.info("poll.lease_lost", extra={"task": machine.task, "row": str(row.uuid)})
        except Refused as error:
            machine.end(row, "refused", str(error))
        except NotYet as error:
            _wait(machine, row, owner, error)
        except InvalidParameter as error:
            machine.end(row, "failed", str(error))
        except ApiError as error:
            _after_error(machine, row, owner, error)
        except StoreError as error:
            _later(machine, row, owner, str(error), STORE_WAIT)
    machine.rows().change(pk, owner, lease_owner="", lease_until=None)
    if not row.cancel_requested:
        # A person asked to stop while this move was made: its own next time is not waited for.
        stopped = machine.rows().unfinished().filter(pk=pk, cancel_requested=True)
        stopped.update(next_poll_at=timezone.now())
    _send_next(machine, pk)


def _send_next(machine: Machine[PolledT, Any], pk: int) -> None:
    """Call a worker for the next move where it is soon: the clock's next tick would only cost time."""
    free = machine.rows().unfinished().exclude(state=REQUESTED).filter(pk=pk, lease_until=None)
    when = free.values_list("next_poll_at", flat=True).first()
    wait = (when - timezone.now()).total_seconds() if when else SOON + 1
    if wait <= 0:
        jobs.send(machine.task, pk)
    elif wait <= SOON:
        # A little late rather than a little early: a move that is not due yet is not made.
        jobs.send(machine.task, pk, after=wait + 0.01)


def _wait(machine: Machine[PolledT, Any], row: PolledT, owner: str, error: NotYet) -> None:
    when = timezone.now() + timedelta(seconds=error.seconds)
    machine.rows().change(row.pk, owner, next_poll_at=when, status_text=str(error)[:300])


@contextmanager
def _kept(machine: Machine[PolledT, TenantT], row: PolledT, owner: str) -> Iterator[None]:
    """Renew the lease while a move takes long (a large download)."""
    done = threading.Event()

    def renew() -> None:
        try:
            while not done.wait(lease().total_seconds() / 4):
                close_old_connections()
                # A database that is busy for a moment must not end the renewing: the next turn comes before the lapse.
                with suppress(DatabaseError):
                    machine.rows().change(row.pk, owner, lease_until=timezone.now() + lease())
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name=f"lease-{row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=10)


def _after_error(machine: Machine[PolledT, TenantT], row: PolledT, owner: str, error: ApiError) -> None:
    """Permanent errors end the job; others are tried again, less and less often, until the deadline."""
    if error.permanent:
        machine.end(row, "failed", str(error))
        return
    if row.trouble >= TROUBLE_LIMIT:
        machine.end(row, "failed", f"Given up after {row.trouble} errors in a row; the last: {error}")
        return
    _later(machine, row, owner, str(error), error.retry_after or min(BACKOFF * 2**row.trouble, BACKOFF_CAP))


def _later(machine: Machine[PolledT, TenantT], row: PolledT, owner: str, reason: str, seconds: float) -> None:
    with transaction.atomic():
        when = timezone.now() + timedelta(seconds=seconds)
        text = f"{reason} Trying again in {seconds:.0f} s."[:300]
        if machine.rows().change(row.pk, owner, trouble=row.trouble + 1, next_poll_at=when, status_text=text):
            machine.note(row, "trouble", reason)
