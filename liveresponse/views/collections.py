"""Collections in the browser: asking, watching, stopping."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Approval, Case, ParseJob, StandingApproval, User
from ircase.pages import render_tab
from ircase.services import approvals
from ircase.services.writing import comments
from liveresponse import shelf
from liveresponse.catalogue import Definition, ParameterError, Sent
from liveresponse.forms.collections import RequestForm
from liveresponse.models import Batch, BatchState, Collection, CollectionState, LibraryScript
from liveresponse.services import board, collections, going_on

PAGE, MANY = 50, 50


def _definition(name: str) -> Definition:
    plan = shelf.definition(name)
    if plan is None:
        raise Http404("No such collection, or none that can be used yet.")
    return plan


def _goes_on(batch: Batch, counts: dict[int, board.Counts]) -> bool:
    known = counts.get(batch.pk)
    going = batch.state in (BatchState.RESOLVING, BatchState.REQUESTED)
    return going or (batch.state == BatchState.STARTED and known is not None and known.ended < known.total)


@login_required
@require_GET
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    rows = Collection.objects.for_case(case).filter(batch=None).select_related("requested_by", "output", "activity")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    many = list(board.batches_of(case)[:MANY])
    counts = board.counts_of_many(many)
    context = {
        "page": page,
        "collections": page.object_list,
        "comment_counts": comments.counts(case, {"collection": [row.uuid for row in page]}),
        "batches": [(batch, counts.get(batch.pk)) for batch in many],
        "more_batches": len(many) == MANY,
        "definitions": shelf.definitions().values(),
        "watching": any(not r.is_final for r in page.object_list) or any(_goes_on(b, counts) for b in many),
    }
    if request.GET.get("part") == "list":
        return render(request, "liveresponse/_list.html", {"case": case, **context})
    return render_tab(request, case, "live-response", "liveresponse/panel.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def request_collection(request: HttpRequest, reference: str, definition: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    plan = _definition(definition)
    device = request.GET.get("device")
    form = RequestForm(case, plan, request.POST or None, initial={"device": device} if device else None)
    wants_preview = request.POST.get("act") == "preview"
    if request.method == "POST" and not wants_preview and form.is_valid():
        try:
            row = collections.request_collection(
                case=case,
                actor=user,
                definition=plan.id,
                device=form.cleaned_data["device"],
                parameters=form.parameters,
                reason=form.cleaned_data["reason"],
            )  # fmt: skip
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("liveresponse:collection", case.reference, row.uuid)
    files = _files(case, plan, user)
    context = {
        "form": form,
        "plan": plan,
        "files": files,
        "lacking": [name for name, script, _ in files if script is None],
        "standing": plan.takes_standing and bool(files) and all(standing for _, _, standing in files),
        "preview": _preview(form, plan),
        "deciders": approvals.deciders(case, user),
    }
    status = 422 if form.errors and not wants_preview else 200
    return render_tab(request, case, "live-response", "liveresponse/request.html", context, status=status)


def _files(
    case: Case, plan: Definition, asker: User
) -> list[tuple[str, LibraryScript | None, StandingApproval | None]]:
    """Every library file that the collection uses, as we know it, with what covers it in advance if `asker` asks."""
    if case.connection is None:
        return [(name, None, None) for name in plan.files]
    there = {row.name.lower(): row for row in LibraryScript.objects.filter(connection=case.connection)}
    found = [(name, there.get(name.lower())) for name in plan.files]
    return [
        (name, row, approvals.find_standing(case.connection, row.sha256, asker) if row is not None else None)
        for name, row in found
    ]


def _preview(form: RequestForm, plan: Definition) -> list[Sent]:
    """What would be sent, with the values that the form has; {Name} where it has none yet."""
    given = {p.name: form[p.name].value() for p in plan.parameters}
    values: dict[str, object] = {}
    for parameter in plan.parameters:
        try:
            values[parameter.name] = parameter.clean(given[parameter.name])
        except ParameterError:
            continue
    return plan.preview(values)


def _collection(case: Case, uuid: str) -> Collection:
    rows = Collection.objects.for_case(case).select_related("connection", "activity", "requested_by", "output", "case")
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_GET
def collection(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    row = _collection(case, uuid)
    context = {
        "row": row,
        "may_go_on": bool(going_on.stopped_in(row)),
        "plan": shelf.plan_of(row),
        "log": row.commands.all()[:500],
        "exhibits": row.evidence.all(),
        "approval": Approval.objects.filter(subject=row.uuid).select_related("decided_by", "requested_by").first(),
        "deciders": approvals.deciders(case, row.requested_by) if row.state == CollectionState.REQUESTED else [],
        "parse": ParseJob.objects.filter(evidence=row.output).first() if row.output else None,
    }
    if request.GET.get("part"):
        may_write = access.may(case, access.ANALYST) and case.is_open
        return render(request, "liveresponse/_collection.html", {"case": case, "may_write": may_write, **context})
    return render_tab(request, case, "live-response", "liveresponse/collection.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    collections.cancel(collection=_collection(case, uuid), actor=user)
    return redirect("liveresponse:collection", case.reference, uuid)


@login_required
@require_POST
def retry(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    row = _collection(case, uuid)
    try:
        again = collections.retry(collection=row, actor=user)
    except ValidationError as error:
        messages.error(request, "; ".join(error.messages))
        return redirect("liveresponse:collection", case.reference, uuid)
    return redirect("liveresponse:collection", case.reference, again.uuid)


@login_required
@require_POST
def go_on(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    """Follow to its end what could not be followed."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    try:
        going_on.go_on(collection=_collection(case, uuid), actor=user)
    except ValidationError as error:
        messages.error(request, "; ".join(error.messages))
    return redirect("liveresponse:collection", case.reference, uuid)
