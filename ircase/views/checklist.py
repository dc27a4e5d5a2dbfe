"""The checklist: by phase, or by the outcomes of CSF 2.0; and one item with its plan, result and proofs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.checklist import ItemForm, PlanForm, ProofForm, ResultForm, SkipForm
from ircase.models import Case, ChecklistItem, User
from ircase.pages import render_tab
from ircase.services import checklist as service
from ircase.views.checklist_groups import groups_of, items_of
from ircase.views.doors import attempt, case_to_change, say_errors


@require_GET
@login_required
def checklist(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    return _page(request, case, ItemForm(initial={"phase": case.phase}))


def _page(request: HttpRequest, case: Case, form: ItemForm) -> HttpResponse:
    view = "csf" if request.GET.get("view") == "csf" else "r2"
    groups = groups_of(case, view)
    context = {"groups": groups, "view": view, "form": form}
    return render_tab(request, case, "checklist", "case/checklist.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def checklist_add(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = ItemForm(request.POST)
    if not form.is_valid():
        return _page(request, case, form)
    attempt(request, "The item is added.", lambda: service.add_item(case=case, actor=user, **form.cleaned_data))
    return redirect("ircase:checklist", case.reference)


@require_http_methods(["GET", "POST"])
@login_required
def checklist_item(request: HttpRequest, reference: str, item: int) -> HttpResponse:
    if request.method == "POST":
        user, case = case_to_change(request, reference)
        return _act(request, user, case, _find(case, item))
    case = access.get_case(access.current_user(request), reference)
    return _item_page(request, case, _find(case, item))


def _find(case: Case, pk: int) -> ChecklistItem:
    item = items_of(case).filter(pk=pk).first()
    if item is None:
        raise Http404("No such item.")
    return item


def _item_page(request: HttpRequest, case: Case, item: ChecklistItem, **forms: Any) -> HttpResponse:
    context = {
        "item": item,
        "proofs": item.proofs.select_related("evidence", "activity__case", "event", "decided", "added_by"),
        "plan_form": PlanForm(initial={"owner": item.owner_id, "due_at": item.due_at}),
        "result_form": ResultForm(initial={"result": item.result}),
        "skip_form": SkipForm(),
        "proof_form": ProofForm(case=case),
        **forms,
    }
    return render_tab(request, case, "checklist", "case/checklist_item.html", context, status=422 if forms else 200)


@dataclass(frozen=True)
class _Act:
    """One thing that can be done with an item: the form it needs, what calls the service, what is said after."""

    form: str
    make: Callable[[HttpRequest, Case], Any]
    do: Callable[..., object]
    said: str


def _finish(item: ChecklistItem, actor: User, result: str) -> object:
    return service.finish_item(item=item, actor=actor, result=result)


def _skip(item: ChecklistItem, actor: User, reason: str) -> object:
    return service.skip_item(item=item, actor=actor, reason=reason)


def _plan(item: ChecklistItem, actor: User, **plan: Any) -> object:
    return service.plan_item(item=item, actor=actor, **plan)


def _prove(item: ChecklistItem, actor: User, **proof: Any) -> object:
    return service.add_proof(item=item, actor=actor, **proof)


def _reopen(item: ChecklistItem, actor: User, **_: Any) -> object:
    return service.reopen_item(item=item, actor=actor)


ACTS = {
    "finish": _Act("result_form", lambda r, c: ResultForm(r.POST), _finish, "Done."),
    "skip": _Act("skip_form", lambda r, c: SkipForm(r.POST), _skip, "Skipped, with your reason."),
    "plan": _Act("plan_form", lambda r, c: PlanForm(r.POST), _plan, "Planned."),
    "prove": _Act("proof_form", lambda r, c: ProofForm(r.POST, case=c), _prove, "The proof is linked."),
    "reopen": _Act("result_form", lambda r, c: ResultForm(r.POST), _reopen, "Open again."),
}


def _act(request: HttpRequest, user: User, case: Case, item: ChecklistItem) -> HttpResponse:
    act = ACTS.get(request.POST.get("action", ""))
    if act is None:
        raise Http404("No such action.")
    form = act.make(request, case)
    if form.is_valid():
        try:
            act.do(item, user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
    if "row" in request.POST and request.headers.get("HX-Request"):
        return _row(request, case, item, form.errors)
    if form.errors:
        return _item_page(request, case, item, **{act.form: form})
    messages.success(request, act.said)
    if request.POST.get("next") == "list":
        return redirect("ircase:checklist", case.reference)
    return redirect("ircase:checklist_item", case.reference, item.pk)


def _row(request: HttpRequest, case: Case, item: ChecklistItem, errors: dict[str, list[str]]) -> HttpResponse:
    """The row as it is now; with it the rows that it unlocks or locks, and the counts of its phase."""
    say_errors(request, errors)
    others = items_of(case).filter(depends_on=item)
    group = next((g for g in groups_of(case, "r2") if g.key == item.phase), None)
    context = {"case": case, "item": _find(case, item.pk), "others": others, "group": group, "may_write": True}
    return render(request, "case/_item_swap.html", context, status=200)
