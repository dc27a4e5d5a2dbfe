"""The dashboard over many cases, and the same figures for a spreadsheet."""

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from ircase import access
from ircase import dashboard as board
from ircase.forms.dashboard import PeriodForm
from ircase.metrics import Period
from ircase.models import Severity
from ircase.services.vault import delivery

PRESETS = (30, 90, 180, 365)


@login_required
@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """Where cases stand now, and how long they took over a period of detection."""
    user = access.current_user(request)
    period = _period(request)
    today = timezone.localdate()
    context = {
        "board": board.of(user, period, timezone.now()),
        "period": period,
        "form": PeriodForm(initial={"first": period.first, "last": period.last}),
        "severities": [Severity(value).label for value in reversed(Severity.values)],
        "legend": [{"label": s.label, "class": f"sev-{s.value}"} for s in reversed(list(Severity))],
        "presets": [(days, (today - timedelta(days=days - 1)).isoformat(), today.isoformat()) for days in PRESETS],
        "may_open": user.opens_cases,
        "now": timezone.now(),
    }
    return render(request, "dashboard/dashboard.html", context)


@login_required
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """The cases of the period with their milestones and times, as CSV."""
    period = _period(request)
    lines = board.as_csv(access.current_user(request), period)
    name = f"ircase_{period.first.isoformat()}_{period.last.isoformat()}.csv"
    return delivery.attachment((line.encode("utf-8", "replace") for line in lines), name=name)


def _period(request: HttpRequest) -> Period:
    return PeriodForm(request.GET).period(timezone.localdate())
