"""Clocks: begun by a milestone or a lead, ended by what was delivered or by why it does not apply."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ircase import access
from ircase.clocks.reading import Rule, regimes, rules
from ircase.models import (
    Case,
    Clock,
    Decision,
    Evidence,
    Milestone,
    RegimePolicy,
    ReportBuild,
    User,
)
from ircase.services import log
from ircase.services.analysis.findings import clean


def of_case(case: Case) -> QuerySet[Clock]:
    """All of them, what ends next first."""
    beside = ("started_by", "ended_by", "evidence", "report", "decision", "end_decision")
    return Clock.objects.filter(case=case).select_related(*beside).defer("evidence__manifest")


def running_of(case: Case) -> QuerySet[Clock]:
    return Clock.objects.filter(case=case).running().ends_next()


def not_running(rows: Iterable[Clock]) -> list[Rule]:
    """The laws' clocks that a lead may start beside `rows`, those of the case; what was ended here comes last."""
    known = {clock.rule: clock.is_running for clock in sorted(rows, key=lambda clock: clock.is_running)}
    free = [rule for rule in rules().values() if not known.get(rule.id)]
    return sorted(free, key=lambda rule: rule.id in known)


def automatic_regimes() -> set[str]:
    return set(RegimePolicy.objects.filter(automatic=True).values_list("regime", flat=True))


@transaction.atomic
def start(
    *, case: Case, actor: User, rule: str, reason: str, at: datetime | None = None, decision: Decision | None = None
) -> Clock:
    """A lead starts a law's clock: at `at`, else at its milestone, else now. Raises PermissionDenied and
    ValidationError."""
    _require_lead(case, actor)
    known = rules().get(rule)
    if known is None:
        raise ValidationError({"rule": f"There is no such deadline. There are: {', '.join(rules())}."})
    if not reason.strip():
        raise ValidationError({"reason": "Say why it runs: the law's condition that is met, or who decided."})
    _check_decision(case, decision)
    _lock(case)
    moments = _milestones(case)
    begin = at or moments.get(known.milestone) or timezone.now()
    _not_in_the_future(begin, "at")
    if running_of(case).filter(rule=rule).exists():
        raise ValidationError("This clock runs already on the case.")
    follows = known.milestone if at is None and known.milestone in moments else ""
    return _begin(case, known, begin, moments, actor=actor, basis=reason, follows=follows, decision=decision)


def _begin(
    case: Case,
    rule: Rule,
    begin: datetime,
    moments: Mapping[str, datetime],
    *,
    actor: User | None,
    basis: str,
    follows: str,
    decision: Decision | None = None,
) -> Clock:
    clock = Clock.objects.create(
        case=case,
        rule=rule.id,
        title=rule.title,
        law=rule.law,
        article=rule.article,
        source=rule.source,
        deliver=rule.deliver,
        counted=rule.counted[:300],
        starts_from=follows,
        basis=clean(basis).strip(),
        decision=decision,
        started_at=begin,
        started_by=actor,
        due_at=rule.due(begin, dict(moments)),
    )
    log_start(clock, actor)
    return clock


def log_start(clock: Clock, actor: User | None) -> None:
    log.record(
        "clock.started",
        case=clock.case,
        actor=actor,
        title=clock.title,
        clock=str(clock.uuid),
        at=clock.started_at.isoformat(),
        due=clock.due_at.isoformat(),
        reason=clock.basis[:500],
        decision=clock.decision.label if clock.decision else None,
    )


@transaction.atomic
def milestone_set(*, case: Case, actor: User, kind: str, at: datetime) -> None:
    """A milestone was set or moved: clocks that began with it follow, those of the organisation's laws begin."""
    _lock(case)
    moments = _milestones(case)
    for clock in running_of(case).filter(kind=Clock.Kind.LAW):
        _follow(clock, actor, kind, moments)
    wanted = automatic_regimes()
    had = set(Clock.objects.filter(case=case).values_list("rule", flat=True))
    for regime in regimes().values():
        for rule in regime.rules if regime.id in wanted else ():
            if rule.milestone == kind and rule.id not in had and not case.exercise:
                words = f"The milestone “{Milestone.Kind(kind).label}” was set, and {regime.title} starts by itself."
                _begin(case, rule, at, moments, actor=None, basis=words, follows=kind)


def _follow(clock: Clock, actor: User, kind: str, moments: Mapping[str, datetime]) -> None:
    rule = rules().get(clock.rule)
    limited = rule is not None and rule.limit is not None and rule.limit.milestone == kind
    if rule is None or not (clock.starts_from == kind or limited):
        return
    begin = moments[kind] if clock.starts_from == kind else clock.started_at
    move(clock, actor, begin, rule.due(begin, dict(moments)))


def move(clock: Clock, actor: User | None, begin: datetime, due: datetime) -> None:
    """Another start or end: what was told of the old end is told again of the new."""
    if (begin, due) == (clock.started_at, clock.due_at):
        return
    before, clock.started_at, clock.due_at, clock.told = clock.due_at, begin, due, 0
    clock.save(update_fields=["started_at", "due_at", "told"])
    log.record(
        "clock.moved",
        case=clock.case,
        actor=actor,
        title=clock.title,
        clock=str(clock.uuid),
        before=before.isoformat(),
        due=due.isoformat(),
    )


@transaction.atomic
def deliver(
    *,
    clock: Clock,
    actor: User,
    at: datetime | None = None,
    words: str = "",
    evidence: Evidence | None = None,
    report: ReportBuild | None = None,
    decision: Decision | None = None,
) -> Clock:
    """It was delivered at `at`, shown by an exhibit, a report, a decision, or at least by words. What the law counts
    from this delivery begins. Raises PermissionDenied, ValidationError."""
    clock = _running(clock, actor)
    delivered = at or timezone.now()
    _not_in_the_future(delivered, "at")
    if delivered < clock.started_at:
        raise ValidationError({"at": "That is before the clock began."})
    if not (evidence or report or decision or words.strip()):
        raise ValidationError("Link what shows it: an exhibit, a report, a decision; or say where the proof is.")
    if any(thing is not None and thing.case_id != clock.case_id for thing in (evidence, report, decision)):
        raise ValidationError("The proof must belong to the same case.")
    clock.evidence, clock.report, clock.end_decision = evidence, report, decision
    clock.delivered_at, clock.end_words = delivered, clean(words).strip()
    _end(clock, actor, Clock.State.DELIVERED)
    moments = _milestones(clock.case)
    for rule in rules().values():
        if rule.after == clock.rule and not running_of(clock.case).filter(rule=rule.id).exists():
            words = f"“{clock.title}” was delivered."
            _begin(clock.case, rule, delivered, moments, actor=actor, basis=words, follows="")
    return clock


@transaction.atomic
def dismiss(*, clock: Clock, actor: User, reason: str, decision: Decision | None = None) -> Clock:
    """It does not apply, and why. Raises PermissionDenied, ValidationError."""
    clock = _running(clock, actor)
    if not reason.strip():
        raise ValidationError({"reason": "Say why it does not apply: a regulator may ask."})
    _check_decision(clock.case, decision)
    clock.end_words, clock.end_decision = clean(reason).strip(), decision
    _end(clock, actor, Clock.State.NOT_APPLICABLE)
    return clock


def _running(clock: Clock, actor: User) -> Clock:
    _require_lead(clock.case, actor)
    locked = Clock.objects.select_for_update(of=("self",)).select_related("case").get(pk=clock.pk)
    if not locked.is_running:
        raise ValidationError("This clock was ended already.")
    return locked


def _end(clock: Clock, actor: User | None, state: Clock.State) -> None:
    clock.state, clock.ended_at, clock.ended_by = state, timezone.now(), actor
    clock.save()
    shown = clock.evidence.exhibit if clock.evidence else clock.end_decision.label if clock.end_decision else None
    detail: dict[str, Any] = {"proof": shown} if shown else {}
    if clock.report is not None:
        detail["report"] = str(clock.report.uuid)
    if clock.delivered_at:
        detail |= {"at": clock.delivered_at.isoformat(), "late": clock.is_late}
    log.record(
        f"clock.{state.value}",
        case=clock.case,
        actor=actor,
        title=clock.title,
        clock=str(clock.uuid),
        reason=clock.end_words[:500],
        **detail,
    )


def end_by_milestone(clock: Clock, actor: User | None, kind: str, at: datetime) -> None:
    """A service level is met by its milestone; once more where the milestone is moved, for then it was met then."""
    clock.delivered_at = max(at, clock.started_at)
    clock.end_words = _met_by(kind)
    _end(clock, actor, Clock.State.DELIVERED)


def ended_by_milestone(case: Case, kind: str) -> QuerySet[Clock]:
    """The service levels that this milestone has met by itself, and no person."""
    levels = Clock.objects.filter(case=case, kind=Clock.Kind.SERVICE_LEVEL, state=Clock.State.DELIVERED)
    return levels.filter(end_words=_met_by(kind), evidence=None, report=None, end_decision=None)


def _met_by(kind: str) -> str:
    return f"The milestone “{Milestone.Kind(kind).label}” was set."


def run_again(clock: Clock) -> None:
    """What had met it is not so any more."""
    clock.state, clock.delivered_at, clock.ended_at, clock.ended_by = Clock.State.RUNNING, None, None, None
    clock.end_words = ""
    clock.save(update_fields=["state", "delivered_at", "ended_at", "ended_by", "end_words"])
    log_start(clock, None)


def end_as_not_applicable(clock: Clock, actor: User | None, words: str) -> None:
    clock.end_words = words
    _end(clock, actor, Clock.State.NOT_APPLICABLE)


def _lock(case: Case) -> None:
    """The case's row is the lock: whoever presses twice starts one clock."""
    Case.objects.select_for_update().get(pk=case.pk)


def _milestones(case: Case) -> dict[str, datetime]:
    return dict(Milestone.objects.filter(case=case).values_list("kind", "at"))


def _check_decision(case: Case, decision: Decision | None) -> None:
    if decision is not None and decision.case_id != case.pk:
        raise ValidationError("The decision must belong to the same case.")


def _not_in_the_future(at: datetime, field: str) -> None:
    if at > timezone.now() + timedelta(minutes=5):
        raise ValidationError({field: "This cannot lie in the future."})


def _require_lead(case: Case, actor: User) -> None:
    if not access.still_may(actor, case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can start or end a clock.")


@transaction.atomic
def set_policy(*, actor: User, regime: str, automatic: bool) -> RegimePolicy:
    """Whether the clocks of a law start by themselves. Raises PermissionDenied, ValidationError."""
    access.require_administrator(actor)
    if regime not in regimes():
        raise ValidationError(f"There is no such law. There are: {', '.join(regimes())}.")
    policy, _ = RegimePolicy.objects.update_or_create(
        regime=regime, defaults={"automatic": automatic, "changed_by": actor}
    )
    log.record("clock.policy", actor=actor, title=regimes()[regime].title, automatic=automatic)
    return policy
