"""Collections on many devices in the browser: choosing, asking, the board."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Approval, Case, User
from ircase.pages import render_tab
from ircase.services import approvals
from ircase.wording import counted
from liveresponse import shelf
from liveresponse.forms.batches import BatchForm
from liveresponse.models import Batch, BatchState, LibraryScript
from liveresponse.services import batches, board, collections

PAGE = 100


@login_required
@require_http_methods(["GET", "POST"])
def batch_request(request: HttpRequest, reference: str, definition: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    plan = shelf.definition(definition)
    if plan is None:
        raise Http404("No such collection.")
    form = BatchForm(case, plan, request.POST or None, initial=_first(request))
    if request.method == "POST" and form.is_valid():
        try:
            batch = batches.request_batch(
                case=case, actor=user, definition=plan.id, parameters=form.parameters,
                reason=form.cleaned_data["reason"], **form.source,
            )  # fmt: skip
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("liveresponse:batch", case.reference, batch.uuid)
    script = LibraryScript.objects.filter(connection=case.connection, name__iexact=plan.script or "-").first()
    context = {"form": form, "plan": plan, "script": script, "deciders": approvals.deciders(case, user)}
    return render_tab(
        request, case, "live-response", "liveresponse/batch_request.html", context, status=422 if form.errors else 200
    )


def _first(request: HttpRequest) -> dict[str, str]:
    """A link from a result of the case names its table."""
    return {"origin": Batch.Origin.TABLE, "table": request.GET["table"]} if request.GET.get("table") else {}


def _batch(case: Case, uuid: str) -> Batch:
    rows = Batch.objects.filter(case=case).select_related("case", "connection", "requested_by", "retry_of")
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_GET
def batch(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    """The board. `?part=changes&since=…` gives the counts and the rows of the page that have changed since."""
    case = access.get_case(access.current_user(request), reference)
    row = _batch(case, uuid)
    state = request.GET.get("state", "")
    writes = {"may_write": access.may(case, access.ANALYST) and case.is_open}
    if request.GET.get("part") == "changes":
        context = {"case": case, "batch": row, **writes, **_changes(request, row), **_head(row, state)}
        context |= _said(request, context["counts"])
        return render(request, "liveresponse/_batch_changes.html", context)
    head = _head(row, state)
    page = Paginator(board.rows_of(row, state), PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    context = {"batch": row, **writes, **head, "page": page, "shown": board.shown(rows, row)}
    context |= {"said": head["counts"].ended}
    context |= {"first": rows[0].device, "last": rows[-1].device} if rows else {}
    if row.state == BatchState.DRAFT:
        context |= {
            "inside": Paginator(row.included, PAGE).get_page(request.GET.get("p")),
            "outside": Paginator(row.left_out, PAGE).get_page(request.GET.get("rows")),
        }
    context |= {
        "plan": shelf.plan_of(row),
        "standing": _standing(row, access.current_user(request)),
        "approval": _approval(row),
        "deciders": approvals.deciders(case, row.requested_by) if row.state == BatchState.REQUESTED else [],
    }
    return render_tab(request, case, "live-response", "liveresponse/batch.html", context)


def _head(row: Batch, state: str) -> dict[str, Any]:
    now, counts = timezone.now(), board.counts_of(row)
    over = board.is_over(row, counts)
    return {
        "counts": counts,
        "state": state,
        "over": over,
        "again": sum(counts.of(name) for name in batches.AGAIN),
        "eta": None if over else board.eta_of(row),
        "now": now.isoformat(),
    }


def _changes(request: HttpRequest, row: Batch) -> dict[str, Any]:
    """The rows that the page shows (`?from=` and `?to=` are its first and last device) and that have changed."""
    first, last = request.GET.get("from", ""), request.GET.get("to", "")
    try:
        since = datetime.fromisoformat(request.GET.get("since", ""))
    except ValueError:
        since = timezone.now()
    since = timezone.now() if timezone.is_naive(since) else since
    rows = board.rows_of(row).filter(device__gte=first, device__lte=last)
    return {
        "first": first,
        "last": last,
        "changed": board.shown(board.changed_since(rows, since)[:PAGE], row),
    }


def _said(request: HttpRequest, counts: board.Counts) -> dict[str, Any]:
    """Whether a screen reader should hear the counts: each time a tenth more has ended, not at every look."""
    said = request.GET.get("said", "")
    before = int(said) if said.isdecimal() and len(said) < 6 else counts.ended
    speak = counts.ended - before >= max(counts.total // 10, 1)
    return {"announce": speak, "said": counts.ended if speak else before}


def _approval(row: Batch) -> Approval | None:
    rows = Approval.objects.filter(subject=row.uuid).select_related("decided_by", "requested_by")
    return rows.order_by("-pk").first()


def _standing(row: Batch, asker: User) -> bool:
    plan = shelf.plan_of(row) if row.state == BatchState.DRAFT else None
    return plan is not None and bool(collections.standing_of(row, plan, asker))


@login_required
@require_POST
def batch_start(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    """Ask for the batch, or begin; with `act=leave_out` only take the ticked devices of a page out of the draft."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    ticked = request.POST.getlist("without")
    page = reverse("liveresponse:batch", args=[case.reference, uuid])
    try:
        if request.POST.get("act") == "leave_out":
            out = batches.leave_out(batch=_batch(case, uuid), actor=user, without=ticked)
            messages.success(request, f"{counted(out, 'device')} left out.")
            at = request.GET.get("p", "")
            return redirect(f"{page}?p={at}" if at.isdecimal() and len(at) < 6 else page)
        batches.start(batch=_batch(case, uuid), actor=user, without=ticked)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect(page)


@login_required
@require_POST
def batch_cancel(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    batches.cancel(batch=_batch(case, uuid), actor=user)
    return redirect("liveresponse:batch", case.reference, uuid)


@login_required
@require_POST
def batch_retry(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    try:
        again = batches.retry(batch=_batch(case, uuid), actor=user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("liveresponse:batch", case.reference, uuid)
    return redirect("liveresponse:batch", case.reference, again.uuid)
