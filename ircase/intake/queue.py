"""The triage queue: which incidents a person sees, narrowed and ordered as the address says."""

from dataclasses import dataclass, fields, replace
from datetime import timedelta

from django import forms
from django.db.models import Case as When_
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from ircase.models import Case, CaseIncident, IncomingIncident, User
from ircase.models.intake import ENDED
from ircase.services.analysis.findings import clean

SEVERITIES = ("unknown", "informational", "low", "medium", "high", "critical")
_AGES = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
_ORDERS = {"title": "title", "age": "created_at", "updated": "updated_at", "alerts": "alert_count",
           "entities": "entity_count", "status": "status"}  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """What the queue is narrowed to. Empty text means everything. `origin` is c<connection> or s<source>."""

    q: str = ""
    show: str = "waiting"
    severity: str = ""
    status: str = ""
    origin: str = ""
    age: str = ""


def read_filters(form: forms.Form) -> Filters:
    """The filters of a bound form; a field that makes no sense counts as not given."""
    form.is_valid()
    given = {f.name: form.cleaned_data.get(f.name) for f in fields(Filters)}
    return replace(Filters(), **{name: value for name, value in given.items() if value})


def is_filtered(filters: Filters) -> bool:
    return filters != Filters()


def find(user: User, filters: Filters, sort: str = "") -> QuerySet[IncomingIncident]:
    """The incidents, without their raw JSON. Who cannot see the case of an incident sees it waiting."""
    found = _shown(user, filters.show).defer("raw").select_related("connection", "source")
    if filters.severity:
        found = found.filter(severity=filters.severity)
    if filters.status:
        found = found.filter(status=filters.status)
    if filters.age in _AGES:
        found = found.filter(created_at__gte=timezone.now() - _AGES[filters.age])
    if filters.origin[1:].isdecimal():
        name = "connection" if filters.origin[0] == "c" else "source"
        found = found.filter(**{name: int(filters.origin[1:])})
    for word in clean(filters.q).split()[:8]:
        named = Q(title__icontains=word) | Q(incident_id__icontains=word)
        found = found.filter(named | Q(pk__in=IncomingIncident.objects.filter(entities__value__icontains=word.lower())))
    return _ordered(found, sort)


def _shown(user: User, show: str) -> QuerySet[IncomingIncident]:
    every = IncomingIncident.objects.all()
    if show == "dismissed":
        return every.exclude(dismissed_at=None)
    if show == "ended":
        return every.filter(status__in=ENDED)
    if show == "all":
        return every
    visible = Case.objects.visible_to(user).values("pk")
    links = CaseIncident.objects.held().filter(case__in=visible)
    own = Exists(links.filter(incoming=OuterRef("pk")))
    merged = Exists(
        links.filter(
            incoming__connection=OuterRef("connection"), incoming__redirect_id=OuterRef("incident_id")
        ).exclude(incoming__redirect_id="")
    )
    if show == "case":
        return every.filter(own | merged)
    return every.exclude(status__in=ENDED).filter(dismissed_at=None).exclude(own | merged)


def _ordered(found: QuerySet[IncomingIncident], sort: str) -> QuerySet[IncomingIncident]:
    down, name = sort.startswith("-"), sort.removeprefix("-")
    if name in _ORDERS:
        field = F(_ORDERS[name])
        return found.order_by(field.desc(nulls_last=True) if down else field.asc(nulls_last=True), "-pk")
    if name == "severity":
        rank = F("_rank").desc() if down else F("_rank").asc()
        return _ranked(found).order_by(rank, "-created_at", "-pk")
    if name == "origin":
        return found.order_by(*(("-" if down else "") + n for n in ("connection__name", "source__name")), "-pk")
    return _ranked(found).order_by(F("_rank").desc(), "-created_at", "-pk")


def _ranked(found: QuerySet[IncomingIncident]) -> QuerySet[IncomingIncident]:
    ranks = [When(severity=value, then=Value(rank)) for rank, value in enumerate(SEVERITIES)]
    return found.annotate(_rank=When_(*ranks, default=Value(0), output_field=IntegerField()))
