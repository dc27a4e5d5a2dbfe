"""Exercises: what was played, beginning one, the page of its facilitator and its players, and the debrief."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.exercises import counting
from ircase.exercises.debrief import as_json, as_markdown, debrief_of, totals_of
from ircase.exercises.scenarios import scenarios
from ircase.forms.readiness import BeginForm, DebriefForm, JudgeForm
from ircase.models import Case, Exercise, Inject, User
from ircase.pages import render_tab
from ircase.readiness import rights
from ircase.report.sheets import TypesetError, pdf_of
from ircase.services.casework import opening
from ircase.services.exercises import playing
from ircase.views.contacts import pdf
from ircase.views.doors import attempt, case_to_change

PER_PAGE: Final = 30


@require_http_methods(["GET", "POST"])
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Exercises of cases that the person may see, the scenarios, and the form that begins one."""
    user = access.current_user(request)
    rights.require_reader(user)
    if request.method == "POST":
        opening.require_opener(user)
    form = BeginForm(request.POST or None, host=user)
    if request.method == "POST" and form.is_valid():
        try:
            made = playing.begin(actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{made.case.reference} is open. You lead it and see the scenario whole.")
            return redirect("ircase:exercise", made.case.reference)
    page = Paginator(playing.seen_by(user), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "scenarios": scenarios().values(), "may_begin": user.opens_cases}
    return render(request, "readiness/exercises.html", context, status=422 if form.errors else 200)


def _found(request: HttpRequest, reference: str) -> tuple[User, Case, Exercise]:
    user = access.current_user(request)
    case = access.get_case(user, reference)
    injects = Prefetch("injects", Inject.objects.select_related("released_by"))
    found = Exercise.objects.filter(case=case).select_related("started_by").prefetch_related(injects).first()
    if found is None:
        raise Http404("No scenario is played on this case.")
    found.case = case
    return user, case, found


def _context(case: Case, found: Exercise) -> dict[str, Any]:
    """What of it this person may see: a facilitator everything, a player what was released; all of it after the end."""
    leads = access.may(case, access.LEAD)
    sees = leads or not found.is_running
    injects = list(found.injects.all())
    counted = counting.of(found) if sees else []
    return {
        "exercise": found,
        "injects": injects if sees else [inject for inject in injects if inject.released_at],
        "counted": counted,
        "totals": totals_of(counted) if sees else None,
        "sees": sees,
    }


@require_GET
@login_required
def exercise(request: HttpRequest, reference: str) -> HttpResponse:
    _, case, found = _found(request, reference)
    words = DebriefForm(initial={"went_well": found.went_well, "to_improve": found.to_improve})
    context = _context(case, found) | {"debrief_form": words}
    return render_tab(request, case, "overview", "case/exercise.html", context)


@require_GET
@login_required
def live(request: HttpRequest, reference: str) -> HttpResponse:
    """What moves while it runs, for the page to refresh itself."""
    _, case, found = _found(request, reference)
    context = {"case": case, "may_lead": access.may(case, access.LEAD)} | _context(case, found)
    return render(request, "case/_exercise_live.html", context)


@require_POST
@login_required
def act(request: HttpRequest, reference: str) -> HttpResponse:
    """Release an inject, set the clock, judge, write the debrief, end."""
    user, case = case_to_change(request, reference, access.LEAD)
    _, _, found = _found(request, reference)
    what = request.POST.get("act", "")
    if what == "release":
        key = request.POST.get("key", "")[:64]
        attempt(request, "It has happened.", lambda: playing.release(exercise=found, key=key, actor=user))
    elif what in ("clock", "hand"):
        said = "The clock releases what is due." if what == "clock" else "Injects wait for you."
        attempt(request, said, lambda: playing.set_clock(exercise=found, actor=user, on=what == "clock"))
    elif what == "end":
        said = "The exercise has ended. Everybody on the case sees the debrief."
        attempt(request, said, lambda: playing.end(exercise=found, actor=user))
    elif what == "judge":
        _judge(request, user, found)
    elif what == "debrief":
        _write(request, user, found)
    return redirect("ircase:exercise", case.reference)


def _judge(request: HttpRequest, user: User, found: Exercise) -> None:
    form = JudgeForm(request.POST)
    if form.is_valid():
        met = {"yes": True, "no": False}.get(form.cleaned_data["met"])
        key, note = form.cleaned_data["key"], form.cleaned_data["note"]
        attempt(
            request, "Judged.", lambda: playing.judge(exercise=found, actor=user, key=key, met=met, note=note)
        )  # fmt: skip


def _write(request: HttpRequest, user: User, found: Exercise) -> None:
    form = DebriefForm(request.POST)
    if form.is_valid():
        attempt(request, "Written down.", lambda: playing.debrief(exercise=found, actor=user, **form.cleaned_data))


@require_GET
@login_required
def debrief(request: HttpRequest, reference: str, kind: str) -> HttpResponse:
    """The debrief as `pdf` or `md`: for facilitators at any time, for everybody on the case once it has ended."""
    _, case, found = _found(request, reference)
    if found.is_running and not access.may(case, access.LEAD):
        raise PermissionDenied("The debrief is there when the exercise has ended.")
    name = f"{case.reference}_debrief"
    made = debrief_of(found)
    if kind == "md":
        headers = {"Content-Disposition": content_disposition_header(True, f"{name}.md") or "attachment"}
        headers |= {"X-Content-Type-Options": "nosniff"}
        return HttpResponse(as_markdown(made), content_type="text/markdown; charset=utf-8", headers=headers)
    if kind != "pdf":
        raise Http404("The debrief is made as pdf and md.")
    try:
        return pdf(pdf_of("debrief", as_json(made)), f"{name}.pdf")
    except TypesetError as error:
        messages.error(request, str(error))
        return redirect("ircase:exercise", case.reference)
