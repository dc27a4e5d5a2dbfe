"""What people do with watches: begin, change, pause, resume, stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import results
from hunting.models import HuntRun, Source, Watch
from hunting.services import runs
from ircase import recognition
from ircase.models import Case, JobState, User
from ircase.services import log
from kql import Column
from kql.parquet import TIME_COLUMNS

MOST_OF_A_CASE = 50


def default_key(columns: Sequence[Column]) -> list[str]:
    """What tells rows apart where nobody said: the whole row where each is an event with its time, else the columns
    that name something; all but moments where none does."""
    if any(column.name in TIME_COLUMNS for column in columns):
        return []
    still = [column for column in columns if column.type != "datetime"]
    named = [column.name for column in still if recognition.names_something(column.name)]
    return named or [column.name for column in still]


@transaction.atomic
def watch_run(
    *, run: HuntRun, actor: User, every_hours: int = 24, key: Sequence[str] | None = None, until: datetime | None = None
) -> Watch:
    """Ask the run's question again every so many hours; its rows are what was seen. `key` None: as guessed. Raises
    ValidationError."""
    if run.state != JobState.DONE:
        raise ValidationError("Only a run that is done can be watched: its rows are what later ones are compared with.")
    _check_open(run.case, run)
    if Watch.objects.filter(case=run.case).exclude(state=Watch.State.STOPPED).count() >= MOST_OF_A_CASE:
        raise ValidationError(f"A case has at most {MOST_OF_A_CASE} watches. Stop one that is not needed any more.")
    columns = results.columns_of(run)
    now = timezone.now()
    watch = Watch(
        case=run.case,
        run=run,
        title=run.title,
        key=_checked_key(default_key(columns) if key is None else key, columns),
        every_hours=every_hours,
        until=_checked_until(until, now),
        requested_by=actor,
        asked_until=run.window_end,
    )
    watch.next_at = now + watch.interval if 1 <= every_hours <= 10_000 else now
    watch.full_clean(exclude=["case", "run", "requested_by"])
    watch.save()
    _log("started", watch, actor, every_hours=every_hours, key=watch.key, until=until.isoformat() if until else None)
    return watch


def _check_open(case: Case, run: HuntRun) -> None:
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it before you watch.")
    choice = next((c for c in runs.sources_of(case) if c.source == run.source), None)
    if choice is not None and choice.why_not:
        raise ValidationError(f"{Source(run.source).label} cannot be asked: {choice.why_not}")


def _checked_key(key: Sequence[str], columns: Sequence[Column]) -> list[str]:
    names = {column.name for column in columns}
    unknown = [name for name in key if name not in names]
    # A run without rows may have no columns to choose from; then the whole row is compared.
    if unknown:
        raise ValidationError({"key": f"The result has no column {unknown[0][:80]!r}."})
    return list(dict.fromkeys(key))


def _checked_until(until: datetime | None, now: datetime) -> datetime | None:
    if until is not None and until <= now:
        raise ValidationError({"until": "The last moment lies in the past."})
    return until


@transaction.atomic
def change(*, watch: Watch, actor: User, every_hours: int, until: datetime | None) -> Watch:
    """How often and how long. A shorter interval counts from now. Raises ValidationError."""
    now = timezone.now()
    watch = Watch.objects.select_for_update().get(pk=watch.pk)
    if watch.state == Watch.State.STOPPED:
        raise ValidationError("This watch has been stopped. Resume it first.")
    if until != watch.until:
        watch.until = _checked_until(until, now)
    watch.every_hours = every_hours
    watch.full_clean(exclude=["case", "run", "requested_by", "stopped_by"])
    watch.next_at = min(max(watch.next_at, now), now + watch.interval)
    watch.save(update_fields=["every_hours", "until", "next_at"])
    _log("changed", watch, actor, every_hours=every_hours, until=until.isoformat() if until else None)
    return watch


@transaction.atomic
def pause(*, watch: Watch, actor: User) -> None:
    """Nothing where it does not run."""
    if Watch.objects.filter(pk=watch.pk, state=Watch.State.ACTIVE).update(state=Watch.State.PAUSED):
        _log("paused", watch, actor)


@transaction.atomic
def resume(*, watch: Watch, actor: User) -> None:
    """Go on, at once: the next window reaches back to the last one. Who resumes is asked for from then on. Raises
    ValidationError."""
    _check_open(watch.case, watch.run)
    waiting = Watch.objects.filter(pk=watch.pk).exclude(state=Watch.State.ACTIVE)
    fields = {"state": Watch.State.ACTIVE, "stop": "", "stopped_why": "", "stopped_by": None, "stopped_at": None}
    if watch.until is not None and watch.until <= timezone.now():
        fields["until"] = None
    if waiting.update(next_at=timezone.now(), requested_by=actor, **fields):
        _log("resumed", watch, actor)


@dataclass(frozen=True)
class Resumed:
    """A watch that goes on, or the sentence why it does not."""

    watch: Watch
    problem: str = ""


def resume_all(*, case: Case, actor: User) -> list[Resumed]:
    """All that stopped when the case was closed go on, now that it is open again; one that cannot keeps no other."""
    found = Watch.objects.with_people().filter(case=case, stop=Watch.Stop.CLOSED)
    return [_resumed(watch, case, actor) for watch in found]


def _resumed(watch: Watch, case: Case, actor: User) -> Resumed:
    watch.case = watch.run.case = case
    try:
        resume(watch=watch, actor=actor)
    except ValidationError as error:
        return Resumed(watch, " ".join(error.messages))
    return Resumed(watch)


def stop(*, watch: Watch, actor: User, reason: str = "") -> None:
    """For good, unless somebody resumes it."""
    end(watch, Watch.Stop.PERSON, reason.strip() or f"{actor.name} stopped it.", actor)


@transaction.atomic
def end(watch: Watch, stop: Watch.Stop, why: str, actor: User | None = None) -> bool:
    """Stop a watch that is not stopped yet; whether it was this call that did."""
    going = Watch.objects.filter(pk=watch.pk).exclude(state=Watch.State.STOPPED)
    done = going.update(
        state=Watch.State.STOPPED, stop=stop, stopped_why=why[:500], stopped_by=actor, stopped_at=timezone.now()
    )
    if done:
        _log("stopped", watch, actor, reason=why)
    return bool(done)


def _log(verb: str, watch: Watch, actor: User | None, **detail: object) -> None:
    log.record(f"watch.{verb}", case=watch.case, actor=actor, title=watch.title, subject=str(watch.uuid), **detail)
