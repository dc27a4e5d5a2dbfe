"""Handing a case over, and the record of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.life import HandOverForm
from ircase.models import Case, HandOver, LogEntry, User
from ircase.pages import render_tab
from ircase.sentences import sentences
from ircase.services.analysis.findings import clean
from ircase.services.casework import handovers as service
from ircase.views.doors import attempt, case_to_change

_MOST = 100
# Which time each row of these lists of a snapshot has.
_TIMES = {"clocks": "due_at", "items": "due_at", "running": "since", "approvals": "ends", "milestones": "at"}


@require_http_methods(["GET", "POST"])
@login_required
def handovers(request: HttpRequest, reference: str) -> HttpResponse:
    if request.method == "POST":
        user, case = case_to_change(request, reference)
        return _offer(request, user, case)
    user = access.current_user(request)
    case = access.get_case(user, reference)
    if request.GET.get("part") == "now":
        now = service.snapshot(case, user, timezone.now())
        return render(request, "case/_handover_now.html", {"case": case, "now": _readable(case, now)})
    form = _form(case, user) if access.may(case, access.ANALYST) and case.is_open else None
    return _page(request, case, form)


def _form(case: Case, user: User, data: Any = None) -> HandOverForm:
    return HandOverForm(data, case=case, giver=user, leads=access.may(case, access.LEAD))


def _page(request: HttpRequest, case: Case, form: HandOverForm | None) -> HttpResponse:
    found = service.of_case(case)[:_MOST]
    context = {"handovers": found, "form": form}
    status = 422 if form is not None and form.errors else 200
    return render_tab(request, case, "overview", "case/handovers.html", context, status=status)


def _offer(request: HttpRequest, user: User, case: Case) -> HttpResponse:
    form = _form(case, user, request.POST)
    if form.is_valid():
        try:
            made = service.offer(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{made.receiver.name} is asked to take the case over.")
            return redirect("ircase:handover", case.reference, made.uuid)
    return _page(request, case, form)


@require_http_methods(["GET", "POST"])
@login_required
def handover(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The record, which prints on its own; the receiver answers here."""
    needs = access.ANALYST if request.method == "POST" else access.VIEWER
    user = access.current_user(request)
    case = access.get_case(user, reference, needs)
    found = (
        HandOver.objects.filter(case=case, uuid=uuid).select_related("case", "giver", "receiver", "evidence").first()
    )
    if found is None:
        raise Http404("No such hand-over.")
    if request.method == "POST":
        return _answer(request, user, found)
    context = {
        "handover": found,
        "now": _readable(case, found.snapshot),
        "may_answer": service.answerable(found, user),
        "may_withdraw": found.state == HandOver.State.OFFERED and found.giver_id == user.pk,
    }
    return render_tab(request, case, "overview", "case/handover.html", context)


def _readable(case: Case, snapshot: dict[str, Any]) -> dict[str, Any]:
    """The frozen JSON with times as times and the log's codes in words."""
    entries = [
        LogEntry(
            sequence=row["sequence"], at=datetime.fromisoformat(row["at"]), actor_name=row["by"], action=row["action"],
            detail=row["detail"],
        )
        for row in snapshot["changes"]
    ]  # fmt: skip
    timed = {name: [_timed(row, key) for row in snapshot[name]] for name, key in _TIMES.items()}
    moments = {name: parse_datetime(snapshot[name]) for name in ("at", "since")}
    return snapshot | timed | moments | {"changes": sentences(case, entries)}


def _timed(row: dict[str, Any], key: str) -> dict[str, Any]:
    return row | {key: parse_datetime(row[key]) if row.get(key) else None}


def _answer(request: HttpRequest, user: User, found: HandOver) -> HttpResponse:
    words = clean(request.POST.get("words", ""))[:5000]
    acts: dict[str, tuple[Callable[[], object], str]] = {
        "confirm": (lambda: service.confirm(handover=found, actor=user, words=words), "The case is yours. Good luck."),
        "refuse": (lambda: service.refuse(handover=found, actor=user, words=words), "The giver is told."),
        "withdraw": (lambda: service.withdraw(handover=found, actor=user), "The offer is taken back."),
    }
    if request.POST.get("act") not in acts:
        raise Http404("No such act.")
    act, said = acts[request.POST["act"]]
    attempt(request, said, act)
    return redirect("ircase:handover", found.case.reference, found.uuid)
