"""The checklist: by phase, or by the outcomes of CSF 2.0; and one item with its plan, result and proofs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, profile
from ircase.forms.checklist import FinishForm, ItemForm, PlanForm, ReviewForm, SkipForm, WaitForm
from ircase.forms.fields import ScopedForm
from ircase.models import Case, ChecklistItem, ItemChange, User
from ircase.pages import render_tab
from ircase.services.casework import caseplan
from ircase.services.identity import people
from ircase.services.phases import checklist as service
from ircase.views.checklist_groups import groups_of, items_of
from ircase.views.doors import attempt, case_to_change, say_errors

VIEWS = ("r2", "csf")


@require_GET
@login_required
def checklist(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    return _page(request, case, ItemForm(initial={"phase": case.phase}))


def _page(request: HttpRequest, case: Case, form: ItemForm) -> HttpResponse:
    view = _view(request)
    newer = caseplan.newer(case) if access.may(case, access.ANALYST) and case.is_open else None
    context = {"groups": groups_of(case, view), "view": view, "form": form, "newer": newer}
    return render_tab(request, case, "checklist", "case/checklist.html", context, status=422 if form.errors else 200)


def _view(request: HttpRequest) -> str:
    """What the address asks for, else what the person chose last."""
    asked = request.GET.get("view", "")
    return asked if asked in VIEWS else access.current_user(request).checklist_view


@require_POST
@login_required
def checklist_view(request: HttpRequest, reference: str) -> HttpResponse:
    """Choose the order, from now on for every case; the address says it too, so that it can be handed on."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    view = request.POST.get("view", "")
    if view not in VIEWS:
        raise Http404("No such order.")
    people.choose_checklist_view(user=user, view=view)
    return redirect(f"{reverse('ircase:checklist', args=[case.reference])}?view={view}")


@require_GET
@login_required
def gaps(request: HttpRequest, reference: str) -> HttpResponse:
    """Which outcomes of SP 800-61r3's profile have no item that is done."""
    case = access.get_case(access.current_user(request), reference)
    found = profile.coverage(ChecklistItem.objects.filter(case=case))
    context = {"groups": profile.by_function(found), "gaps": [one for one in found if one.is_gap], "total": len(found)}
    return render_tab(request, case, "checklist", "case/gaps.html", context)


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
    item.case = case
    return item


def _forms(case: Case, item: ChecklistItem) -> dict[str, Any]:
    plan, review = PlanForm(initial={"owner": item.owner_id, "due_at": item.due_at}), ReviewForm()
    review.offer(plan.fields["owner"])
    return {
        "plan_form": plan,
        "finish_form": FinishForm(item=item),
        "skip_form": SkipForm(),
        "wait_form": WaitForm(initial={"waiting_for": item.waiting_for}),
        "review_form": review,
    }


def _changes(item: ChecklistItem) -> list[tuple[ItemChange, timedelta]]:
    """Every change, with how long the item had stood in the state it left."""
    began, found = item.case.opened_at, []
    for change in item.changes.select_related("by"):
        found.append((change, change.at - began))
        began = change.at
    return found


def _item_page(request: HttpRequest, case: Case, item: ChecklistItem, **forms: Any) -> HttpResponse:
    may_write = access.may(case, access.ANALYST) and case.is_open
    context = {
        "item": item,
        "proofs": item.proofs.select_related("evidence", "activity__case", "event", "decided", "added_by"),
        "changes": _changes(item),
        "lacks": service.missing_proof(item),
        **(_forms(case, item) if may_write else {}),
        **forms,
    }
    return render_tab(request, case, "checklist", "case/checklist_item.html", context, status=422 if forms else 200)


@dataclass(frozen=True)
class _Act:
    """One thing that can be done with an item: the form it needs, what calls the service, what is said after."""

    form: str
    make: Callable[[HttpRequest, ChecklistItem], Any]
    do: Callable[..., object]
    said: str


def _finish(item: ChecklistItem, actor: User, form: FinishForm) -> object:
    return service.finish_item(item=item, actor=actor, result=form.cleaned_data["result"], proofs=form.proofs())


def _prove(item: ChecklistItem, actor: User, form: FinishForm) -> object:
    """Link only; what was typed as a result is kept with it."""
    proof = service.add_proof(item=item, actor=actor, **dict(form.proofs()))
    if item.is_open:
        service.note_result(item=item, actor=actor, result=form.cleaned_data["result"])
    return proof


def _plan(item: ChecklistItem, actor: User, form: PlanForm) -> object:
    """A date that nobody typed goes on following its milestone; what a colleague set meanwhile stays."""
    planned = {"owner": item.owner, "due_at": item.due_at} | form.changes(item)
    return service.plan_item(item=item, actor=actor, **planned)


def _with(act: Callable[..., object]) -> Callable[..., object]:
    """A service that takes the form's fields by name."""
    return lambda item, actor, form: act(item=item, actor=actor, **form.cleaned_data)


def _bare(act: Callable[..., object]) -> Callable[..., object]:
    """A service that needs no words."""
    return lambda item, actor, form: act(item=item, actor=actor)


ACTS = {
    "start": _Act("start_form", lambda r, i: ScopedForm(r.POST), _bare(service.start_item), "It is in work."),
    "wait": _Act("wait_form", lambda r, i: WaitForm(r.POST), _with(service.wait_item), "It waits; the time is kept."),
    "review": _Act("review_form", lambda r, i: ReviewForm(r.POST), _with(service.ask_review), "A review is asked for."),
    "finish": _Act("finish_form", lambda r, i: FinishForm(r.POST, item=i), _finish, "Done."),
    "prove": _Act("finish_form", lambda r, i: FinishForm(r.POST, item=i), _prove, "The proof is linked."),
    "skip": _Act("skip_form", lambda r, i: SkipForm(r.POST), _with(service.skip_item), "Skipped, with your reason."),
    "plan": _Act("plan_form", lambda r, i: PlanForm(r.POST), _plan, "Planned."),
    "reopen": _Act("start_form", lambda r, i: ScopedForm(r.POST), _bare(service.reopen_item), "Open again."),
}


def _act(request: HttpRequest, user: User, case: Case, item: ChecklistItem) -> HttpResponse:
    act = ACTS.get(request.POST.get("action", ""))
    if act is None:
        raise Http404("No such action.")
    form = act.make(request, item)
    if form.is_valid():
        try:
            act.do(item, user, form)
        except ValidationError as error:
            form.add_error(None, error.messages)
    if "row" in request.POST and request.headers.get("HX-Request"):
        return _row(request, case, item, form.errors)
    if form.errors:
        if act.form == "start_form":  # a button alone: there is no form to show what is wrong in
            say_errors(request, form.errors)
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
    assets = [one for one in group.per_asset if item in one.items] if group else []
    found = _find(case, item.pk)
    context: dict[str, Any] = {"case": case, "item": found, "others": others, "group": group, "assets": assets}
    context["may_write"] = True
    return render(request, "case/_item_swap.html", context, status=200)
