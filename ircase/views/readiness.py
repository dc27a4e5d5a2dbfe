"""Whether the team could answer an incident today: all connections, one of them, one part; the plan and the answers."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.readiness import AnswerForm, PlanForm
from ircase.models import Case, Connection, ReadinessPlan, SettingAnswer, User
from ircase.readiness import board, proofs, rights
from ircase.readiness.settings import settings
from ircase.services.readiness import plans as service

PER_PAGE: Final = 50
NEXT: Final = 12
SHOWN: Final = 6


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Every connection in use, the preparation with what shows it, contacts and exercises."""
    user = access.current_user(request)
    rights.require_reader(user)
    found = list(Connection.objects.filter(enabled=True)[:PER_PAGE])
    known = board.plans_of(found)
    parts = board.of(found, user, plans=known)
    rows = [(one, known.get(one.pk), parts[one.pk], board.due(parts[one.pk], 3)) for one in found]
    return render(request, "readiness/index.html", {"rows": rows, "shown": proofs.shown(parts)})


def _standing(user: User, found: Connection, plan: ReadinessPlan | None) -> dict[str, Any]:
    """What every page of one connection knows."""
    case = plan.case if plan else None
    sees = Case.objects.visible_to(user).filter(pk=case.pk).first() if case else None
    may_try = sees is not None and access.may(sees, access.ANALYST) and not found.read_only
    return {
        "connection": found,
        "plan": plan,
        "may_keep": rights.may_keep(user, plan),
        "may_try": may_try and plan is not None and bool(plan.probe_device),
        "opens_case": sees is not None,
    }


@require_GET
@login_required
def connection(request: HttpRequest, pk: int) -> HttpResponse:
    """What is red and what to do next, then every part."""
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    plans = board.plans_of([found])
    parts = board.of([found], user, plans=plans)[found.pk]
    todo = board.due(parts)
    context = {"parts": parts, "todo": todo[:NEXT], "more": max(0, len(todo) - NEXT), "shown": SHOWN}
    return render(request, "readiness/connection.html", context | _standing(user, found, plans.get(found.pk)))


@require_GET
@login_required
def part(request: HttpRequest, pk: int, part: str) -> HttpResponse:
    """Every check of one part, the worst first."""
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    plans = board.plans_of([found])
    one = next((row for row in board.of([found], user, plans=plans)[found.pk] if row.key == part), None)
    if one is None:
        raise Http404("No such part.")
    page = Paginator(one.checks, PER_PAGE).get_page(request.GET.get("page"))
    standing = _standing(user, found, plans.get(found.pk))
    return render(request, "readiness/part.html", {"part": one, "page": page} | standing)


@require_http_methods(["GET", "POST"])
@login_required
def plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Who keeps it ready, and by what: administrators say."""
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    access.require_administrator(user)
    now = board.plans_of([found]).get(found.pk) or ReadinessPlan(connection=found)
    form = PlanForm(request.POST or None, initial={name: getattr(now, name) for name in service.FIELDS})
    if request.method == "POST" and form.is_valid():
        try:
            service.save(connection=found, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "The plan is saved.")
            return redirect("ircase:readiness_connection", found.pk)
    context = {"connection": found, "form": form, "plan": now}
    return render(request, "readiness/plan.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def setting(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """One Defender setting: why it matters, where it is, what was answered; by POST an answer."""
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    one = settings().get(key)
    if one is None:
        raise Http404("No such setting.")
    given = SettingAnswer.objects.filter(connection=found, key=key).select_related("answered_by").first()
    may_keep = rights.may_keep(user, board.plans_of([found]).get(found.pk))
    if request.method == "POST":
        rights.require_keeper(user, found)
    form = AnswerForm(request.POST or None, initial={"answer": given.answer, "note": given.note} if given else None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        service.answer(connection=found, key=key, actor=user, value=values["answer"], note=values["note"])
        messages.success(request, "The answer is kept, with your name and the date.")
        return redirect("ircase:readiness_connection", found.pk)
    context = {"connection": found, "setting": one, "given": given, "form": form, "may_keep": may_keep}
    return render(request, "readiness/setting.html", context, status=422 if form.errors else 200)
