"""Playing a scenario: begin, release injects by hand or by the clock, judge, end. The case's leads facilitate."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.exercises import counting
from ircase.exercises.scenarios import Scenario, expects_of, scenarios
from ircase.models import (
    Case,
    CaseMember,
    CaseRole,
    Connection,
    Event,
    Exercise,
    Inject,
    Mark,
    NoticeCode,
    Severity,
    User,
)
from ircase.services import cases, log, notices
from ircase.services.analysis import findings
from ircase.services.casework import opening
from ircase.services.readiness import plans

SOURCE: Final = "Exercise"
MOST_PLAYERS: Final = 50
_AT_ONCE: Final = 50


def seen_by(user: User) -> QuerySet[Exercise]:
    """Exercises on cases that the person may see, the newest first."""
    visible = Case.objects.visible_to(user).values("pk")
    return Exercise.objects.filter(case__in=visible).select_related("case", "started_by")


@transaction.atomic
def begin(
    *,
    actor: User,
    scenario: str,
    connection: Connection | None = None,
    players: Sequence[User] = (),
    by_clock: bool = False,
) -> Exercise:
    """A case of its own, marked as an exercise, led by `actor`; `players` analyse on it. Raises PermissionDenied where
    the actor opens no cases or the connection is not marked as a test, ValidationError."""
    opening.require_opener(actor)
    plans.require_test(connection)
    found = scenarios().get(scenario)
    if found is None:
        raise ValidationError({"scenario": f"There is no scenario {scenario[:64]!r}."})
    if found.needs_tenant and connection is None:
        raise ValidationError({"connection": "This scenario hunts: choose a connection that is marked as a test."})
    case = cases.open_case(
        actor=actor,
        title=f"Exercise: {found.title}",
        description=f"{found.content['summary']}\n\nThis is an exercise. Nothing of it is real.",
        playbook=str(found.content.get("playbook", "")),
        severity=Severity(found.content["severity"]),
        exercise=True,
        connection=connection,
    )
    made = Exercise.objects.create(
        case=case, scenario=found.id, version=found.version, plan=dict(found.content), by_clock=by_clock,
        started_by=actor,
    )  # fmt: skip
    _lay_out(made, found)
    log.record("exercise.begun", case=case, actor=actor, title=found.title, scenario=found.id, version=found.version)
    _add_players(made, players, actor)
    if by_clock:
        release_due(made)
    return made


def _lay_out(made: Exercise, found: Scenario) -> None:
    Inject.objects.bulk_create(
        Inject(
            exercise=made, key=row["key"], position=place, minute=row["minute"], ago=row.get("ago", 0),
            sender=row["from"], title=row["title"], text=row["text"],
        )
        for place, row in enumerate(sorted(found.content["injects"], key=lambda row: int(row["minute"])))
    )  # fmt: skip


def _add_players(made: Exercise, players: Sequence[User], actor: User) -> None:
    wanted = [person for person in dict.fromkeys(players) if person != actor]
    if len(wanted) > MOST_PLAYERS:
        raise ValidationError({"players": f"At most {MOST_PLAYERS} people play one exercise."})
    for person in wanted:
        cases.set_member(case=made.case, actor=actor, user=person, role=CaseRole.ANALYST, duty="Player")
    notices.tell(
        code=NoticeCode.ASSIGNMENT,
        people=wanted,
        case=made.case,
        subject=notices.about(made.uuid, "begun"),
        title=f"You play in an exercise: {made.title}",
        path=path_of(made),
    )


def path_of(made: Exercise) -> str:
    return reverse("ircase:exercise", args=[made.case.reference])


@transaction.atomic
def release(*, exercise: Exercise, key: str, actor: User | None = None) -> Inject:
    """Let it happen: an event of the timeline, and a notice to every member but who released it. `actor` None is the
    clock. Raises PermissionDenied, ValidationError; what was released already stays as it is."""
    _require_running(exercise, actor)
    inject = Inject.objects.filter(exercise=exercise, key=key).first()
    if inject is None:
        raise ValidationError("The scenario has no such inject.")
    now = timezone.now()
    # Of two who release at once, one changes the row.
    if not Inject.objects.filter(pk=inject.pk, released_at=None).update(released_at=now, released_by=actor):
        raise ValidationError("It was released already.")
    inject.exercise, inject.released_at, inject.released_by = exercise, now, actor
    inject.event = _event(inject)
    inject.save(update_fields=["event"])
    log.record("exercise.released", case=exercise.case, actor=actor, title=inject.title, inject=key)
    _tell(inject, actor)
    return inject


def _event(inject: Inject) -> Event:
    case = inject.exercise.case
    assert inject.released_at is not None
    return findings.add_event(
        case=case,
        actor=inject.exercise.started_by,
        at=inject.released_at - timedelta(minutes=inject.ago),
        title=f"{inject.sender}: {inject.title}"[:300],
        description=inject.text,
        lane=Event.Lane.OTHER,
        source=SOURCE,
        provenance={"exercise": str(inject.exercise.uuid), "inject": inject.key},
    )


def _tell(inject: Inject, actor: User | None) -> None:
    members = CaseMember.objects.filter(case=inject.exercise.case, user__is_active=True).select_related("user")
    notices.tell(
        code=NoticeCode.INCIDENT,
        people=[member.user for member in members if member.user != actor],
        case=inject.exercise.case,
        subject=notices.about(inject.exercise.uuid, f"inject {inject.key}"),
        title=f"{inject.sender}: {inject.title}",
        path=path_of(inject.exercise),
        lines=[inject.text[:500]],
    )


def release_due(exercise: Exercise) -> int:
    """What the clock has come to; how many were released."""
    waiting = Inject.objects.filter(exercise=exercise, released_at=None).order_by("minute", "position")
    now, released = timezone.now(), 0
    for inject in waiting:
        if exercise.started_at + timedelta(minutes=inject.minute) > now:
            break
        try:
            release(exercise=exercise, key=inject.key)
            released += 1
        except ValidationError:
            continue  # another clock was quicker
    return released


def tick() -> int:
    """Beat's tick: exercises that run by the clock; how many injects were released."""
    running = Exercise.objects.filter(ended_at=None, by_clock=True, case__closed_at=None)
    waiting = running.filter(injects__released_at=None).distinct().select_related("case", "started_by")
    return sum(release_due(exercise) for exercise in waiting[:_AT_ONCE])


@transaction.atomic
def set_clock(*, exercise: Exercise, actor: User, on: bool) -> Exercise:
    """By the clock, or by hand only. What is overdue when it goes on is released at once."""
    _require_running(exercise, actor)
    exercise.by_clock = on
    exercise.save(update_fields=["by_clock"])
    log.record("exercise.clock", case=exercise.case, actor=actor, title=exercise.title, on=on)
    if on:
        release_due(exercise)
    return exercise


@transaction.atomic
def judge(*, exercise: Exercise, actor: User, key: str, met: bool | None, note: str = "") -> None:
    """The facilitator's own word on an expectation, in place of what the case shows; `met` None takes it back. After
    the end the count is made again. Raises PermissionDenied, ValidationError."""
    _require_facilitator(exercise, actor)
    if key not in {expect.key for expect in expects_of(exercise.plan)}:
        raise ValidationError("The scenario expects no such thing.")
    if met is None:
        Mark.objects.filter(exercise=exercise, key=key).delete()
    else:
        values = {"met": met, "note": findings.clean(note).strip()[:300], "by": actor, "at": timezone.now()}
        Mark.objects.update_or_create(exercise=exercise, key=key, defaults=values)
    log.record("exercise.judged", case=exercise.case, actor=actor, title=exercise.title, expected=key, met=met)
    if not exercise.is_running:
        exercise.result = counting.as_rows(counting.count(exercise, exercise.ended_at))
        exercise.save(update_fields=["result"])


@transaction.atomic
def end(*, exercise: Exercise, actor: User) -> Exercise:
    """No more injects; what the players did until now is counted and kept. Everybody sees the debrief from here on.
    The case itself is closed like any other."""
    _require_running(exercise, actor)
    now = timezone.now()
    exercise.ended_at, exercise.ended_by, exercise.by_clock = now, actor, False
    exercise.result = counting.as_rows(counting.count(exercise, now))
    exercise.save(update_fields=["result", "ended_at", "ended_by", "by_clock"])
    met = sum(row["met"] for row in exercise.result)
    log.record(
        "exercise.ended", case=exercise.case, actor=actor, title=exercise.title, met=met, expected=len(exercise.result)
    )
    members = CaseMember.objects.filter(case=exercise.case, user__is_active=True).select_related("user")
    notices.tell(
        code=NoticeCode.FINISHED,
        people=[member.user for member in members if member.user != actor],
        case=exercise.case,
        subject=notices.about(exercise.uuid, "ended"),
        title=f"The exercise has ended, its debrief is there: {exercise.title}",
        path=path_of(exercise),
    )
    return exercise


@transaction.atomic
def debrief(*, exercise: Exercise, actor: User, went_well: str, to_improve: str) -> Exercise:
    """What the round said afterwards, in words. Raises PermissionDenied."""
    _require_facilitator(exercise, actor)
    exercise.went_well, exercise.to_improve = findings.clean(went_well).strip(), findings.clean(to_improve).strip()
    exercise.save(update_fields=["went_well", "to_improve"])
    log.record("exercise.debriefed", case=exercise.case, actor=actor, title=exercise.title)
    return exercise


def _require_facilitator(exercise: Exercise, actor: User) -> None:
    if not access.still_may(actor, exercise.case, access.LEAD):
        raise PermissionDenied("Who leads the case facilitates the exercise.")


def _require_running(exercise: Exercise, actor: User | None) -> None:
    if actor is not None:
        _require_facilitator(exercise, actor)
    if not exercise.is_running:
        raise ValidationError("The exercise has ended.")
    if not exercise.case.is_open:
        raise ValidationError("The case is closed. Reopen it first.")
