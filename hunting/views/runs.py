"""One run: how far it is, what it gave, what a person concludes."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from frontend.jsontree import nodes
from hunting import shelf
from hunting.access import may_save
from hunting.forms.results import ConclusionForm
from hunting.models import HuntRun, Source, Watch, WatchTurn
from hunting.rendering import chart_of
from hunting.runner import cut_words
from hunting.services import packs, runs
from hunting.views.doors import run_to_change, run_to_read
from hunting.views.rows import grid_context, render_grid
from ircase import access
from ircase.models import JobState, Proof, User
from ircase.pages import render_tab
from msapi.errors import ApiError
from msapi.portal import hunting_link

SLICES_SHOWN: Final = 500
"""The manifest has all of them."""


@require_GET
@login_required
def run(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The page of a run. Where only the grid is asked for (sorting, paging), only the grid is answered."""
    user, found = run_to_read(request, reference, uuid)
    if request.headers.get("HX-Target") == "rows":
        return render_grid(request, found, grid_context(request, found, user))
    return _show(request, found, user, ConclusionForm(case=found.case, initial=_judged(found)))


def _show(
    request: HttpRequest, found: HuntRun, user: User, conclusion: ConclusionForm, status: int = 200
) -> HttpResponse:
    """The page; `conclusion` is bound where it came back with errors, so that nothing that was written is lost."""
    context = grid_context(request, found, user) | _about(found)
    context |= {"conclusion": conclusion, "may_save": may_save(user)}
    return render_tab(request, found.case, "hunts", "hunting/run.html", context, status=status)


@require_GET
@login_required
def run_state(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The run alone. It asks for itself until it has ended; then it comes with its rows."""
    user, found = run_to_read(request, reference, uuid)
    context = {"case": found.case, "may_write": access.may(found.case, access.ANALYST) and found.case.is_open}
    conclusion = ConclusionForm(case=found.case, initial=_judged(found))
    context |= _about(found) | {"conclusion": conclusion, "may_save": may_save(user)}
    return render(request, "hunting/_run.html", context | grid_context(request, found, user))


def _about(found: HuntRun) -> dict[str, Any]:
    manifest = found.evidence.manifest if found.evidence else {}
    slicing = manifest.get("slicing") or {}
    return {
        "run": found,
        "hunt": shelf.hunt_of_run(found.hunt_id, found.hunt_version),
        "hunt_now": shelf.hunt(found.hunt_id) if found.hunt_id else None,
        "source_label": Source(found.source).label,
        "cut": cut_words(found.truncated_by),
        "slicing": slicing,
        "slicing_rows": (slicing.get("slices") or [])[:SLICES_SHOWN],
        "supplies": manifest.get("supplies") or {},
        "notes": manifest.get("notes") or [],
        "manifest": nodes(manifest) if manifest else None,
        "portal": _portal(found),
        "chart": chart_of(found),
        "proves": list(Proof.objects.filter(activity=found.activity_id).select_related("item")),
        "watches": list(Watch.objects.filter(run=found).exclude(state=Watch.State.STOPPED)),
        "turn": WatchTurn.objects.filter(run=found).select_related("watch").first(),
        "retries": list(found.retries.only("uuid", "state", "queued_at")),
        "how": packs.of_run(found),
    }


def _portal(found: HuntRun) -> str | None:
    """The same query in the Defender portal; None where it is too long for a link, or did not run there."""
    if found.source != Source.DEFENDER or found.connection is None:
        return None
    to = found.connection
    try:
        return hunting_link(found.final_kql, to.tenant_id, "month", portal=to.portal_url)
    except ApiError:
        return None


def _judged(found: HuntRun) -> dict[str, str]:
    verdict = found.activity.verdict or ("no_data" if found.row_count == 0 else "")
    return {"verdict": verdict, "sentence": found.activity.sentence}


@require_POST
@login_required
def run_cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = run_to_change(request, reference, uuid)
    runs.cancel(run=found, actor=user)
    found.refresh_from_db(fields=["state"])
    said = {JobState.CANCELLED: "Cancelled.", JobState.RUNNING: "The run will stop within a moment."}
    messages.info(request, said.get(JobState(found.state), "The run had ended already."))
    return redirect("hunting:run", reference, uuid)


@require_POST
@login_required
def run_retry(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = run_to_change(request, reference, uuid)
    try:
        again = runs.retry(run=found, actor=user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("hunting:run", reference, uuid)
    messages.success(request, "The same query is queued again.")
    return redirect("hunting:run", reference, again.uuid)


@require_POST
@login_required
def run_conclude(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, found = run_to_change(request, reference, uuid)
    form = ConclusionForm(request.POST, case=found.case)
    if form.is_valid():
        said = form.cleaned_data
        try:
            runs.conclude(
                run=found, actor=user, verdict=said["verdict"], sentence=said["sentence"], proves=said["item"]
            )
        except ValidationError as error:
            form.take_errors(error)
    if form.errors:
        return _show(request, found, user, form, status=422)
    messages.success(request, "The conclusion is kept; the report prints it.")
    return redirect("hunting:run", reference, uuid)
