"""What the page of a batch shows: how many devices are where, and how long the rest takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from ircase.models import Case
from ircase.services import connections
from liveresponse import shelf
from liveresponse.models import FINAL_COLLECTION_STATES, Batch, BatchState, Collection, CollectionState
from liveresponse.services import line
from msapi.governor import PACKAGE_LINKS

OFFLINE: Final = "offline"
ORDER: Final = (
    ("requested", "Waiting for approval"),
    ("queued", "In line"),
    ("submitted", "Submitted"),
    ("running", "Running"),
    (OFFLINE, "Not answering"),
    ("fetching", "Fetching"),
    ("done", "Done"),
    ("partial", "Partly done"),
    ("failed", "Failed"),
    ("expired", "Expired"),
    ("cancelled", "Cancelled"),
    ("refused", "Refused"),
)
_ALIKE: Final = {"approved": "queued"}


@dataclass(frozen=True)
class Counts:
    """Devices of a batch by where they are, in the order of the way; `offline` are those that Defender has asked and
    that have not answered."""

    total: int
    ended: int
    by_state: tuple[tuple[str, str, int], ...]

    @property
    def sentence(self) -> str:
        """For a screen reader: "97 of 100 ended: 94 done, 3 failed, 2 not answering"."""
        parts = ", ".join(f"{number:,} {label.lower()}" for _, label, number in self.by_state)
        return f"{self.ended:,} of {self.total:,} ended" + (f": {parts}" if parts else "")

    def of(self, state: str) -> int:
        return next((number for name, _, number in self.by_state if name == state), 0)


@dataclass(frozen=True)
class Eta:
    """When the batch should be through, devices that do not answer aside. `how` says what it is computed from."""

    left: timedelta
    at: datetime
    how: str


def where(row: Collection) -> str:
    """The board's word for where a row is."""
    if row.waits_for_device and row.state in (CollectionState.RUNNING, CollectionState.QUEUED):
        return OFFLINE
    return _ALIKE.get(row.state, row.state)


def counts_of(batch: Batch) -> Counts:
    return counts_of_many([batch]).get(batch.pk, Counts(0, 0, ()))


def counts_of_many(batches: Iterable[Batch]) -> dict[int, Counts]:
    """The counts of each batch by its key: one query for all of them."""
    rows = Collection.objects.filter(batch__in=[batch.pk for batch in batches])
    groups = rows.order_by().values_list("batch_id", "state", "waits_for_device").annotate(number=Count("pk"))
    found: dict[int, dict[str, int]] = {}
    for batch, state, waits, number in groups:
        name = where(Collection(state=state, waits_for_device=waits))
        numbers = found.setdefault(batch, {})
        numbers[name] = numbers.get(name, 0) + number
    return {batch: _counts(numbers) for batch, numbers in found.items()}


def _counts(numbers: dict[str, int]) -> Counts:
    ended = sum(number for name, number in numbers.items() if name in FINAL_COLLECTION_STATES)
    return Counts(
        sum(numbers.values()), ended, tuple((name, label, numbers[name]) for name, label in ORDER if numbers.get(name))
    )


def is_over(batch: Batch, counts: Counts) -> bool:
    """Whether nothing more happens by itself. By the counts that are shown beside it: asked of the rows again, one that
    ended in between would make a batch over that shows an open row."""
    if batch.state == BatchState.STARTED:
        return counts.ended == counts.total
    return batch.state in (BatchState.REFUSED, BatchState.CANCELLED)


def rows_of(batch: Batch, state: str = "") -> QuerySet[Collection]:
    """The batch's rows by device; `state` is one of the board's words, or nothing for all."""
    rows = Collection.objects.filter(batch=batch).select_related("output", "activity").order_by("device", "pk")
    waiting = Q(waits_for_device=True, state__in=(CollectionState.RUNNING, CollectionState.QUEUED))
    if state == OFFLINE:
        return rows.filter(waiting)
    if state in dict(ORDER):
        wanted = [state, *(name for name, alike in _ALIKE.items() if alike == state)]
        return rows.filter(state__in=wanted).exclude(waiting)
    return rows


def shown(rows: Iterable[Collection], batch: Batch) -> list[dict[str, Any]]:
    """The rows as the table shows them: each with its step in words. No query."""
    plan = shelf.plan_of(batch)
    steps = plan.steps if plan else ()
    return [
        {
            "row": row,
            "where": where(row),
            "label": dict(ORDER).get(where(row), row.state),
            "step": f"{row.step + 1} of {len(steps)}: {steps[row.step].title}" if row.step < len(steps) else "",
            "now": row.status_text or row.failure,
        }
        for row in rows
    ]


def eta_of(batch: Batch) -> Eta | None:
    """From the quota and what is left: the calls that have yet to be made, ours and those of others in the same line,
    at the rate that Defender takes them or its sessions end, and the links of packages; then the usual length of a
    session. None where nothing is left to be waited for, or where that depends on somebody's yes."""
    plan = shelf.plan_of(batch) if batch.state == BatchState.STARTED else None
    rows = Collection.objects.filter(batch=batch).exclude(state__in=FINAL_COLLECTION_STATES)
    going = rows.exclude(waits_for_device=True)
    if plan is None or not going.exists():
        return None
    calls, packages = _left(going, [step.package for step in plan.steps])
    others = Collection.objects.filter(connection=batch.connection, state=CollectionState.QUEUED).exclude(batch=batch)
    before = others.filter(next_poll_at__lte=timezone.now() + timedelta(hours=1), waits_for_device=False).count()
    session, limits = _usual_session(batch), connections.limits(batch.connection)
    quota = line.span_of(batch.connection, calls + before)
    held = session * (calls + before) / limits.live_response_sessions if limits.live_response_sessions else quota
    links = timedelta(minutes=packages / PACKAGE_LINKS)
    # Links and sessions are waited for side by side.
    left = max(quota, held, links) + session
    asked = f" and {before:,} of other jobs" if before else ""
    pace = f"at {limits.live_response_per_minute} a minute"
    pace = pace if held <= quota else f"by {limits.live_response_sessions} sessions at a time"
    silent = rows.filter(waits_for_device=True).count()
    devices = "device that does not answer is" if silent == 1 else "devices that do not answer are"
    aside = f"; {silent:,} {devices} not counted" if silent else ""
    parts = [f"{packages:,} package{'' if packages == 1 else 's'} left, their links {PACKAGE_LINKS} a minute"]
    if calls or not packages:
        parts = [*parts[: bool(packages)], f"{calls:,} call{'' if calls == 1 else 's'} left{asked} {pace}"]
    how = f"{', '.join(parts)}, and one session of {_words(session)}"
    return Eta(left, timezone.now() + left, how + aside)


def _left(rows: QuerySet[Collection], packages: Sequence[bool]) -> tuple[int, int]:
    """Sessions that have yet to be asked for, and links of packages: a row that is in line needs a session for its step
    and one for each after it. `packages` says of each step whether it collects a package, which takes no session."""
    found = rows.order_by().values_list("state", "step").annotate(number=Count("pk"))
    waiting = (CollectionState.REQUESTED, CollectionState.APPROVED, CollectionState.QUEUED)
    sessions = links = 0
    for state, step, number in found:
        sessions += number * packages[step + (state not in waiting) :].count(False)
        links += number * packages[step:].count(True)
    return sessions, links


def _usual_session(batch: Batch) -> timedelta:
    """How long the steps of this batch that have ended took on average: from submission to the end; half a minute until
    one has."""
    ended = Collection.objects.filter(batch=batch, state=CollectionState.DONE).exclude(submitted_at=None)
    spans = (
        ended.annotate(took=F("ended_at") - F("submitted_at")).order_by("-ended_at").values_list("took", flat=True)[:20]
    )
    known = [took for took in spans if took]
    return sum(known, timedelta()) / len(known) if known else timedelta(seconds=30)


def _words(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def batches_of(case: Case) -> QuerySet[Batch]:
    """The case's batches, newest first, without the long lists of devices."""
    return Batch.objects.filter(case=case).select_related("requested_by").defer("devices", "asked")


def changed_since(rows: QuerySet[Collection], since: datetime) -> QuerySet[Collection]:
    """Those that have changed: a second is given away, because a transaction may become visible after its time."""
    return rows.filter(changed_at__gte=since - timedelta(seconds=3))
