"""Which run a free worker takes: the message's own, but first whoever is more urgent, and then who heads the line.

The tenant's line stands in Redis, in order of turn; its runs wait in the database without a worker. Only the first few
are waited for by a thread each. When such a run has ended, its thread takes over the one that has come to the front, so
that a slot of the quota never lies idle until the clock sends a message.
"""

import logging
from collections.abc import Iterator
from typing import Final

from hunting import quota
from hunting.models import HuntRun
from ircase.models import FINAL_STATES, JobState
from ircase.services import connections
from ircase.work import new_owner
from msapi.errors import GovernorUnavailable

logger = logging.getLogger(__name__)

LONGEST: Final = 200
"""Runs that one message may lead to; then the thread is free for other work."""


def next_runs(pk: int) -> Iterator[HuntRun]:
    """Claimed runs, one after the other; each is asked for when the one before has been worked on."""
    last: HuntRun | None = None
    for wanted in (HuntRun.objects.before(pk), pk):
        run = HuntRun.objects.claim(wanted, new_owner()) if wanted is not None else None
        if run is not None:
            yield run
            last = run
    for _ in range(LONGEST):
        run = _next(last) if last is not None else None
        if run is None:
            return
        yield run
        last = run
        if HuntRun.objects.filter(pk=run.pk, state=JobState.QUEUED).exists():
            return  # not its turn for a while: the clock brings it back


def _next(last: HuntRun) -> HuntRun | None:
    urgent = HuntRun.objects.before(last.pk)
    claimed = HuntRun.objects.claim(urgent, new_owner()) if urgent is not None else None
    return claimed or _head(last)


def _head(last: HuntRun) -> HuntRun | None:
    """The first in the line of that run's API that no worker has; None where there is none."""
    if last.connection is None or not last.connection.enabled:
        return None
    endpoint = connections.endpoint(last.connection)
    try:
        tickets = quota.first(last, endpoint)
    except GovernorUnavailable:
        return None
    runs = {str(run.uuid): run for run in HuntRun.objects.filter(uuid__in=tickets)}
    for run in (runs[ticket] for ticket in tickets if ticket in runs):
        if run.state in FINAL_STATES:
            quota.leave(run, endpoint)
            continue
        HuntRun.objects.filter(pk=run.pk, state=JobState.QUEUED, cancel_requested=False).update(not_before=None)
        claimed = HuntRun.objects.claim(run.pk, new_owner())
        if claimed is not None:
            return claimed
    return None
