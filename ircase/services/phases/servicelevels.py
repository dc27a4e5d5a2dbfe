"""Service levels: promises by severity, kept as clocks that milestones start and end."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from ircase import access
from ircase.clocks.reading import span_of
from ircase.clocks.times import Span
from ircase.models import Case, Clock, Milestone, ServiceLevel, SpanUnit, User
from ircase.services import log
from ircase.services.phases import clocks

FIELDS = (
    "name", "severity", "starts_from", "met_by", "amount", "unit", "calendar", "contract", "deliver", "active",
)  # fmt: skip


@transaction.atomic
def save(*, actor: User, level: ServiceLevel | None = None, **values: object) -> ServiceLevel:
    """Make one or change one; clocks that run already stay as they began. Raises PermissionDenied, ValidationError."""
    access.require_administrator(actor)
    level = level or ServiceLevel()
    for name in FIELDS:
        if name in values:
            setattr(level, name, values[name])
    if level.unit != SpanUnit.BUSINESS_DAYS:
        level.calendar = ""
    elif not level.calendar:
        raise ValidationError({"calendar": "Business days need a calendar."})
    if level.met_by and level.met_by == level.starts_from:
        raise ValidationError({"met_by": "It cannot be met by what starts it."})
    level.changed_by = actor
    level.full_clean(exclude=["changed_by"])
    new = level.pk is None
    level.save()
    log.record(
        "clock.level_made" if new else "clock.level_changed",
        actor=actor,
        title=level.name,
        **{name: getattr(level, name) for name in FIELDS[1:]},
    )
    return level


@transaction.atomic
def milestone_set(*, case: Case, actor: User, kind: str, at: datetime) -> None:
    """A milestone was set or moved: service levels that it meets end, those that it starts begin or follow. What it
    had met before was met when the milestone says now."""
    if case.exercise:
        return
    for clock in clocks.ended_by_milestone(case, kind):
        if clock.delivered_at != max(at, clock.started_at):
            clocks.end_by_milestone(clock, actor, kind, at)
    running = {clock.rule: clock for clock in clocks.running_of(case).filter(kind=Clock.Kind.SERVICE_LEVEL)}
    levels = list(ServiceLevel.objects.filter(Q(starts_from=kind) | Q(met_by=kind)))
    had = set(Clock.objects.filter(case=case, kind=Clock.Kind.SERVICE_LEVEL).values_list("rule", flat=True))
    met = set(Milestone.objects.filter(case=case).values_list("kind", flat=True))
    for level in levels:
        rule = f"sla:{level.pk}"
        if level.met_by == kind and rule in running:
            clocks.end_by_milestone(running[rule], actor, kind, at)
        elif level.starts_from == kind and rule in running:
            clocks.move(running[rule], actor, at, _span(level).after(at))
        elif level.starts_from == kind and _is_for(level, case) and rule not in had and level.met_by not in met:
            _begin(case, level, at)


def milestone_taken_back(*, case: Case, kind: str) -> None:
    """The milestone is gone: what it had met runs again, to the same end, unless that runs anew already."""
    running = set(clocks.running_of(case).values_list("rule", flat=True))
    for clock in clocks.ended_by_milestone(case, kind).order_by("-pk"):
        if clock.rule not in running:
            running.add(clock.rule)
            clocks.run_again(clock)


@transaction.atomic
def severity_changed(*, case: Case, actor: User | None) -> None:
    """The promises of the new severity begin where their milestone is set; those of the old one no longer apply."""
    if case.exercise:
        return
    levels = {f"sla:{level.pk}": level for level in ServiceLevel.objects.all()}
    running = {clock.rule: clock for clock in clocks.running_of(case).filter(kind=Clock.Kind.SERVICE_LEVEL)}
    for rule, clock in running.items():
        if rule in levels and levels[rule].severity not in ("", case.severity):
            clocks.end_as_not_applicable(clock, actor, f"The severity is {case.get_severity_display()} now.")
    moments = dict(Milestone.objects.filter(case=case).values_list("kind", "at"))
    kept = Clock.objects.filter(case=case, state=Clock.State.DELIVERED).values_list("rule", flat=True)
    for rule, level in levels.items():
        due = level.severity and _is_for(level, case) and level.starts_from in moments and level.met_by not in moments
        if due and rule not in running and rule not in kept:
            _begin(case, level, moments[level.starts_from])


def _is_for(level: ServiceLevel, case: Case) -> bool:
    return level.active and level.severity in ("", case.severity)


def _span(level: ServiceLevel) -> Span:
    return span_of(level.amount, level.unit, level.calendar)


def _begin(case: Case, level: ServiceLevel, at: datetime) -> None:
    span = _span(level)
    label = Milestone.Kind(level.starts_from).label
    clock = Clock.objects.create(
        case=case,
        kind=Clock.Kind.SERVICE_LEVEL,
        rule=f"sla:{level.pk}",
        title=level.name,
        law=level.contract,
        deliver=level.deliver,
        counted=f"{span.words} from: {label}"[:300],
        starts_from=level.starts_from,
        basis=f"The milestone “{label}” was set on a case of severity {case.get_severity_display()}.",
        started_at=at,
        due_at=span.after(at),
    )
    clocks.log_start(clock, None)
