"""Response actions in the browser: asking, watching, stopping, reviewing, and what follows from an effect."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Approval, Case, ChecklistItem, Milestone, User
from ircase.pages import render_tab
from ircase.services import approvals, cases
from ircase.services.phases import checklist
from ircase.views.doors import attempt, case_to_change
from liveresponse.forms.actions import ActionForm
from liveresponse.kinds import KINDS, Kind
from liveresponse.models import ActionKind, Effect, ResponseAction
from liveresponse.services import actions, already, freezing
from liveresponse.services.wanted import MOST_TARGETS

SHOWN = 200
CONTAINS = (ActionKind.ISOLATE, ActionKind.RESTRICT, ActionKind.QUARANTINE, ActionKind.BLOCK)


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise Http404("No such response action.")
    return KINDS[name]


@login_required
@require_GET
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    rows = list(ResponseAction.objects.for_case(case).select_related("requested_by", "activity")[:SHOWN])
    context = {
        "rows": rows,
        "kinds": KINDS,
        "target": request.GET.get("target", ""),
        "watching": any(not row.is_final for row in rows),
        "held": freezing.hold_on(case.connection) if case.connection else "",
    }
    if request.GET.get("part") == "list":
        return render(request, "liveresponse/actions/_list.html", {"case": case, **context})
    return render_tab(request, case, "response", "liveresponse/actions/panel.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, reference: str, kind: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    plan = _kind(kind)
    undoes = _undone(case, request)
    form = ActionForm(case, plan, request.POST or None, chosen=_chosen(request, undoes))
    context = _ask_context(user, case, plan, form)
    if request.method == "POST" and form.is_valid():
        context["already"] = already.known(case, plan, form.wanted)
        if context["already"] and not request.POST.get("go_on"):
            return render_tab(request, case, "response", "liveresponse/actions/ask.html", context, status=422)
        try:
            rows = actions.request_actions(
                case=case, actor=user, kind=kind, targets=form.wanted, parameters=form.values,
                reason=form.cleaned_data["reason"], glass=form.glass, undoes=undoes,
            )  # fmt: skip
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _asked(request, case, rows)
    elif request.method == "GET":
        context["already"] = already.known(case, plan, _chosen(request, undoes))
    return render_tab(
        request, case, "response", "liveresponse/actions/ask.html", context, status=422 if form.errors else 200
    )


def _chosen(request: HttpRequest, undoes: ResponseAction | None) -> list[str]:
    return [undoes.target] if undoes else request.GET.getlist("target")[:MOST_TARGETS]


def _undone(case: Case, request: HttpRequest) -> ResponseAction | None:
    """The action that this one takes back, if its page led here."""
    given = request.GET.get("undoes", "")
    if not given:
        return None
    return get_object_or_404(ResponseAction.objects.for_case(case), uuid=access.parse_uuid(given))


def _ask_context(user: User, case: Case, plan: Kind, form: ActionForm) -> dict[str, Any]:
    return {
        "form": form,
        "kind": plan,
        "leads": approvals.deciders(case, user),
        "held": freezing.hold_on(case.connection) if case.connection else "",
    }


def _asked(request: HttpRequest, case: Case, rows: list[ResponseAction]) -> HttpResponse:
    if len(rows) == 1:
        return redirect("liveresponse:action", case.reference, rows[0].uuid)
    messages.success(request, f"{len(rows)} response actions are asked for, under one approval.")
    return redirect("liveresponse:actions", case.reference)


def _row(case: Case, uuid: str) -> ResponseAction:
    rows = ResponseAction.objects.for_case(case).select_related(
        "connection", "activity", "requested_by", "reviewed_by", "case", "record", "undoes"
    )
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_GET
def action(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference)
    row = _row(case, uuid)
    context = {
        "row": row,
        "kind": KINDS[row.kind],
        "undo": KINDS.get(KINDS[row.kind].undo_kind or ""),
        "log": row.log.all()[:300],
        "approval": Approval.objects.filter(subject=row.batch).select_related("decided_by").first(),
        "together": ResponseAction.objects.filter(batch=row.batch).exclude(pk=row.pk)[:MOST_TARGETS],
        "undone_by": row.undone_by.order_by("-pk").first(),
        "may_review": access.may(case, access.LEAD) and row.requested_by_id != user.pk,
        **_offers(case, row),
    }
    if request.GET.get("part"):
        may_write = access.may(case, access.ANALYST) and case.is_open
        shown = {"case": case, "may_write": may_write, **context}
        return render(request, "liveresponse/actions/_action.html", shown)
    return render_tab(request, case, "response", "liveresponse/actions/action.html", context)


def _offers(case: Case, row: ResponseAction) -> dict[str, Any]:
    """What the effect allows: the containment milestone, and the checklist items that suggest this action."""
    if not has_effect(row):
        return {"offers_contained": False, "items": []}
    contained = Milestone.objects.filter(case=case, kind=Milestone.Kind.CONTAINED).exists()
    open_items = ChecklistItem.objects.filter(case=case, state__in=ChecklistItem.LIVE).exclude(suggested_actions=[])
    items = [item for item in open_items.order_by("position") if row.kind in item.suggested_actions]
    proven = set(row.activity.proofs.values_list("item_id", flat=True)) if items else set()
    return {
        "offers_contained": row.kind in CONTAINS and not contained,
        "items": [item for item in items if item.pk not in proven],
    }


def has_effect(row: ResponseAction) -> bool:
    return row.effect in (Effect.CONFIRMED, Effect.REPORTED) and row.effect_at is not None


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    actions.cancel(row=_row(case, uuid), actor=user)
    return redirect("liveresponse:action", case.reference, uuid)


@login_required
@require_POST
def review(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    row, sentence = _row(case, uuid), request.POST.get("review", "")[:2000]
    attempt(request, "Reviewed.", lambda: actions.review(row=row, actor=user, sentence=sentence))
    return redirect("liveresponse:action", case.reference, uuid)


@login_required
@require_POST
def contained(request: HttpRequest, reference: str, uuid: str) -> HttpResponse:
    """The milestone Contained, at the time of the effect."""
    user, case = case_to_change(request, reference)
    row = _row(case, uuid)
    if not _offers(case, row)["offers_contained"] or row.effect_at is None:
        messages.error(request, "There is no confirmed effect to take the time from, or Contained is set already.")
    else:
        at = row.effect_at
        attempt(
            request,
            "The milestone Contained is set.",
            lambda: cases.set_milestone(
                case=case, actor=user, kind=Milestone.Kind.CONTAINED, at=at, note=row.activity.title
            ),
        )
    return redirect("liveresponse:action", case.reference, uuid)


@login_required
@require_POST
def prove(request: HttpRequest, reference: str, uuid: str, item: int) -> HttpResponse:
    """The action as proof of a checklist item that suggests it."""
    user, case = case_to_change(request, reference)
    row = _row(case, uuid)
    step = get_object_or_404(ChecklistItem, pk=item, case=case)
    attempt(
        request,
        f"Linked to “{step.title}”.",
        lambda: checklist.add_proof(item=step, actor=user, activity=row.activity),
    )
    return redirect("liveresponse:action", case.reference, uuid)
