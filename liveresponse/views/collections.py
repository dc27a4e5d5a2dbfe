"""Collections in the browser: asking, watching, stopping."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Approval, Case, ParseJob, StandingApproval
from ircase.pages import render_tab
from ircase.services import approvals
from liveresponse.catalogue import Definition, definitions
from liveresponse.forms.collections import RequestForm
from liveresponse.models import Batch, BatchState, Collection, LibraryScript
from liveresponse.services import board, collections

PAGE, MANY = 50, 50


def _definition(name: str) -> Definition:
    plan = definitions().get(name)
    if plan is None:
        raise Http404("No such collection.")
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
        "batches": [(batch, counts.get(batch.pk)) for batch in many],
        "more_batches": len(many) == MANY,
        "definitions": definitions().values(),
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
    if request.method == "POST" and form.is_valid():
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
    script = LibraryScript.objects.filter(connection=case.connection, name__iexact=plan.script or "-").first()
    context = {"form": form, "plan": plan, "script": script, "standing": _standing(case, script)}
    status = 422 if form.errors else 200
    return render_tab(request, case, "live-response", "liveresponse/request.html", context, status=status)


def _standing(case: Case, script: LibraryScript | None) -> StandingApproval | None:
    if script is None or case.connection is None:
        return None
    return approvals.find_standing(case.connection, script.sha256)


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
        "plan": definitions().get(row.definition),
        "log": row.commands.all()[:500],
        "exhibits": row.evidence.all(),
        "approval": Approval.objects.filter(subject=row.uuid).select_related("decided_by", "requested_by").first(),
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
