"""The line for Live Response: who is called when there is room, and how long it takes."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from ircase import jobs, quota
from ircase.models import Connection
from ircase.services import connections
from liveresponse.models import Collection, CollectionState
from msapi.errors import GovernorUnavailable
from msapi.governor import Bucket, Governor, live_response_bucket

_MARKER: Final = re.compile(r"IRCase ([0-9a-f-]{36}) step ")
CALLED: Final = 3
"""How many of the first are called when a session ends: one may be held up by its own device."""
AT_ONCE: Final = 20
"""How many may go at the same moment without calling the same sleeper."""


def session_ended(governor: Governor, bucket: Bucket) -> None:
    """Have the first of the line ask again now, where sessions are what it waits for. Raises GovernorUnavailable."""
    if governor.load(bucket).held >= bucket.concurrency - 1:
        wake_first(governor, bucket, CALLED)


def wake_first(governor: Governor, bucket: Bucket, number: int) -> None:
    """Have the first so many of the line ask again now. Raises GovernorUnavailable."""
    names = [found[1] for ticket in governor.first(bucket, number) if (found := _MARKER.match(ticket))]
    rows = Collection.objects.filter(uuid__in=names, state=CollectionState.QUEUED, lease_until=None)
    called = list(rows.filter(next_poll_at__gt=timezone.now()).values_list("pk", flat=True))
    Collection.objects.filter(pk__in=called, lease_until=None).update(next_poll_at=timezone.now())
    for pk in called:
        jobs.enqueue("liveresponse.step", pk)


def leave(connection: Connection, rows: Sequence[int]) -> None:
    """When this commits, ended rows leave the line: nobody behind them should wait for those that are gone. Without
    Redis their places lapse by themselves."""
    transaction.on_commit(lambda: _leave(connection, rows))


def _leave(connection: Connection, rows: Sequence[int]) -> None:
    bucket = live_response_bucket(connections.endpoint(connection))
    with suppress(GovernorUnavailable):
        governor = quota.governor()
        for row in Collection.objects.filter(pk__in=rows).only("uuid", "step", "attempt", "batch_id", "case_id"):
            governor.leave(bucket, row.step_marker, flow_of(row))
        wake_first(governor, bucket, 2 * bucket.per_minute)


def flow_of(row: Collection) -> str:
    """Whose jobs take turns with those of others: the batch's, or the case's single ones."""
    return f"batch {row.batch_id}" if row.batch_id else f"case {row.case_id}"


def call_one(connection: Connection) -> None:
    """Somebody went, so one more of those that sleep outside the line may come and stand in it: with every call that is
    made the line is fed by itself, however late the clock's tick. Those who go at once each call another."""
    now = timezone.now()
    rows = Collection.objects.filter(connection=connection, state=CollectionState.QUEUED, polls=0, lease_until=None)
    asleep = rows.filter(next_poll_at__gt=now)
    for pk in list(asleep.order_by("next_poll_at", "pk").values_list("pk", flat=True)[:AT_ONCE]):
        if asleep.filter(pk=pk).update(next_poll_at=now):
            jobs.enqueue("liveresponse.step", pk)
            return


def stagger(connection: Connection, place: int) -> timedelta:
    """How long the `place`-th (from 0) of many may sleep before it stands in line: it could not go before anyway, and a
    thousand rows that ask would only keep the workers busy."""
    limits = connections.limits(connection)
    return timedelta(seconds=max(place // limits.live_response_per_minute - 1, 0) * limits.minute_seconds)


def span_of(connection: Connection, calls: int) -> timedelta:
    """How long the quota takes to let in that many calls."""
    limits = connections.limits(connection)
    return timedelta(seconds=calls / limits.live_response_per_minute * limits.minute_seconds)
