"""The clock of watches: asking again what is due, and ending what may not go on. Harmless when nothing is due, and when
two clocks tick at once."""

import logging
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from hunting.binding import Frozen, moved
from hunting.models import HuntRun, Source, Watch, WatchTurn
from hunting.retention import too_old
from hunting.services import runs, watching
from ircase import access, jobs
from ircase.models import FINAL_STATES, JobState

logger = logging.getLogger(__name__)


def tick() -> None:
    """One beat: stop what must end, queue what is due, send what is ready to be compared to a worker."""
    _stop_of_closed_cases()
    for pk in list(Watch.objects.due().values_list("pk", flat=True)):
        try:
            ask_again(pk)
        except DatabaseError:
            raise
        except Exception:
            # One watch that cannot be asked must not keep the clock from the others.
            logger.exception("watch.fault", extra={"watch": pk})
    _revive()
    for pk in list(WatchTurn.objects.ready().values_list("pk", flat=True)):
        jobs.send("hunting.compare_turn", pk)


def _stop_of_closed_cases() -> None:
    closed = Watch.objects.exclude(state=Watch.State.STOPPED).filter(case__closed_at__isnull=False)
    for watch in closed.select_related("case"):
        watching.end(watch, Watch.Stop.CLOSED, "The case was closed. Resume it once the case is open again.")


def _revive() -> None:
    """Comparisons whose worker fell silent go on with another one."""
    for turn in WatchTurn.objects.silent():
        WatchTurn.objects.hand_back(turn.pk, turn.owner, reason="The worker stopped answering; compared again.")


@transaction.atomic
def ask_again(pk: int) -> WatchTurn | None:
    """Queue the watch's next run, once: of two clocks one moves `turn_count`. None where there is nothing to do, or
    where the watch came to its end."""
    watch = Watch.objects.with_people().get(pk=pk)
    now = timezone.now()
    if _ended(watch, now) or watch.turns.exclude(state__in=FINAL_STATES).exists():
        return None
    mine = Watch.objects.due().filter(pk=pk, turn_count=watch.turn_count)
    if not mine.update(turn_count=F("turn_count") + 1, next_at=now + watch.interval):
        return None
    number = watch.turn_count + 1
    try:
        with transaction.atomic():
            run = _queue(watch, now)
    except ValidationError as error:
        reason = " ".join(error.messages)
        logger.info("watch.not_asked", extra={"watch": str(watch.uuid), "reason": reason[:200]})
        return WatchTurn.objects.create(
            watch=watch, number=number, state=JobState.FAILED, reason=f"Not asked: {reason}", finished_at=now
        )
    return WatchTurn.objects.create(watch=watch, number=number, run=run)


def _ended(watch: Watch, now: datetime) -> bool:
    """Stops a watch that may not go on. The person's right is checked here, where it is used."""
    if not watch.case.is_open:
        return watching.end(watch, Watch.Stop.CLOSED, "The case was closed. Resume it once the case is open again.")
    if watch.until is not None and watch.until <= now:
        return watching.end(watch, Watch.Stop.UNTIL, "Its last day is over.")
    return stop_without_right(watch)


def stop_without_right(watch: Watch) -> bool:
    """Whether the watch was stopped, because its person may no longer run hunts on the case."""
    if access.still_may(watch.requested_by, watch.case, access.ANALYST):
        return False
    who = watch.requested_by.name
    watching.end(watch, Watch.Stop.RIGHT, f"{who} may no longer run hunts on this case. Somebody else can resume it.")
    return True


def _queue(watch: Watch, now: datetime) -> HuntRun:
    return runs.queue_run(
        case=watch.case,
        actor=watch.requested_by,
        frozen=_question(watch, now),
        source=Source(watch.run.source),
        watch=watch.uuid,
    )


def _question(watch: Watch, now: datetime) -> Frozen:
    """The same question up to now. A window reaches back to the end of the last one that was answered whole, as far as
    the source keeps rows, so that nothing falls between two of them."""
    frozen, source = runs.frozen_of(watch.run), Source(watch.run.source)
    longer = moved(frozen, end=now, since=watch.asked_until)
    if too_old(source, watch.case.connection, longer.window, now):
        return moved(frozen, end=now)
    return longer
