"""Watches: begun from a run, listed by case and by person, changed and ended."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting import results
from hunting.forms.results import WatchForm
from hunting.models import Watch
from hunting.services import watching
from hunting.views.doors import run_of
from ircase import access
from ircase.models import Case, JobState
from ircase.pages import render_tab
from ircase.views.doors import attempt, case_to_change

TURNS_PER_PAGE = 50
MOST_OF_MINE = 100


@require_GET
@login_required
def watches(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    found = list(Watch.objects.with_last().filter(case=case).select_related("requested_by"))
    closed = [one for one in found if one.stop == Watch.Stop.CLOSED]
    return render_tab(request, case, "hunts", "hunting/watches.html", {"watches": found, "by_closing": len(closed)})


@require_GET
@login_required
def my_watches(request: HttpRequest) -> HttpResponse:
    """What I watch, on cases that I may see; only the list where htmx asks for it."""
    user = access.current_user(request)
    mine = Watch.objects.going_of(user).with_last().select_related("case", "requested_by")
    context = {"watches": list(mine[:MOST_OF_MINE]), "of_mine": True}
    partial = bool(request.headers.get("HX-Request"))
    return render(request, "hunting/_my_watches.html" if partial else "hunting/my_watches.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def watch_new(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """From a run that is done: how often, how long, and what tells its rows apart."""
    user, case = case_to_change(request, reference)
    run = run_of(case, uuid)
    if run.state != JobState.DONE:
        raise Http404("Only a run that is done can be watched.")
    form = WatchForm(request.POST or None)
    columns = results.columns_of(run)
    key = watching.default_key(columns)
    if request.method == "POST":
        key = request.POST.getlist("key") if request.POST.get("by") == "key" else []
        if form.is_valid():
            try:
                found = watching.watch_run(run=run, actor=user, key=key, **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error.messages)
            else:
                messages.success(request, f"Watching. It is asked again in {found.every_hours} h.")
                return redirect("hunting:watch", reference, found.uuid)
    context = {
        "form": form,
        "run": run,
        "by_key": bool(key),
        "choices": [{"name": c.name, "type": c.type, "chosen": c.name in key} for c in columns],
    }
    status = 422 if form.errors else 200
    return render_tab(request, case, "hunts", "hunting/watch_new.html", context, status=status)


def _find(case: Case, uuid: UUID) -> Watch:
    found: Watch = get_object_or_404(Watch.objects.with_people(), case=case, uuid=uuid)
    found.case = found.run.case = case
    return found


@require_http_methods(["GET", "POST"])
@login_required
def watch(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One watch with its turns; POST changes how often and how long."""
    if request.method == "GET":
        case = access.get_case(access.current_user(request), reference)
        found = _find(case, uuid)
        initial = {"every_hours": found.every_hours, "until": found.until}
        return _show(request, case, found, WatchForm(initial=initial))
    user, case = case_to_change(request, reference)
    found, form = _find(case, uuid), WatchForm(request.POST)
    if form.is_valid():
        try:
            watching.change(watch=found, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Changed.")
            return redirect("hunting:watch", reference, uuid)
    return _show(request, case, found, form)


def _show(request: HttpRequest, case: Case, found: Watch, form: WatchForm) -> HttpResponse:
    turns = found.turns.select_related("run")
    page = Paginator(turns, TURNS_PER_PAGE).get_page(request.GET.get("page"))
    busy = found.turns.exclude(state__in=("done", "failed", "cancelled")).exists()
    context: dict[str, Any] = {"watch": found, "page": page, "form": form, "busy": busy}
    if request.headers.get("HX-Target") == "turns":
        return render(request, "hunting/_turns.html", {"case": case, **context})
    return render_tab(request, case, "hunts", "hunting/watch.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def watch_act(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """`act`: pause, resume or stop."""
    user, case = case_to_change(request, reference)
    found = _find(case, uuid)
    acts = {
        "pause": ("Paused.", lambda: watching.pause(watch=found, actor=user)),
        "resume": ("Watching again.", lambda: watching.resume(watch=found, actor=user)),
        "stop": ("Stopped.", lambda: watching.stop(watch=found, actor=user, reason=request.POST.get("reason", ""))),
    }
    if request.POST.get("act") not in acts:
        raise Http404("Pause, resume or stop.")
    attempt(request, *acts[request.POST["act"]])
    return redirect("hunting:watch", reference, uuid)


@require_POST
@login_required
def watches_resume(request: HttpRequest, reference: str) -> HttpResponse:
    """All that stopped when the case was closed go on, now that it is open again."""
    user, case = case_to_change(request, reference)
    for one in watching.resume_all(case=case, actor=user):
        if one.problem:
            messages.error(request, one.problem)
        else:
            messages.success(request, f"Watching again: {one.watch.title}")
    return redirect("hunting:watches", reference)
