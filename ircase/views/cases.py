"""The list of cases, opening one, its overview, and editing it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access, caselist
from ircase.casehead import head_of
from ircase.forms.cases import (
    CaseFilterForm,
    ConnectForm,
    EditCaseForm,
    EditForm,
    JoinForm,
    MemberForm,
    MilestoneForm,
    NewCaseForm,
    SummaryForm,
)
from ircase.models import Case, CasePlaybook, ChecklistItem, LogEntry, SavedView
from ircase.pages import render_tab
from ircase.sentences import sentences
from ircase.services import cases, log, savedviews
from ircase.services.casework import opening, tags
from ircase.services.transfer.exports import csv_chunks
from ircase.services.vault import delivery
from ircase.views.doors import attempt, case_to_change

PER_PAGE = 25
RECENT = 8


@require_GET
@login_required
def case_list(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    form = CaseFilterForm(request.GET)
    filters = caselist.read_filters(form)
    sort = request.GET.get("sort", "")
    found = caselist.find(user, filters, sort)
    page = Paginator(caselist.keys(found), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": caselist.page_of(found, page.object_list),
        "sort": sort,
        "show": filters.show,
        "filtered": caselist.is_filtered(filters),
        "known_tags": tags.common(user),
        "saved": savedviews.of(user, SavedView.Page.CASES),
        "asked": savedviews.words_of(request.GET.urlencode()),
        "may_open": user.opens_cases,
        "may_join": user.administers,
    }
    return render(request, "ircase/case_list.html", context)


@require_GET
@login_required
def case_list_csv(request: HttpRequest) -> HttpResponseBase:
    """What the list is narrowed to, whole, for a spreadsheet."""
    user = access.current_user(request)
    filters = caselist.read_filters(CaseFilterForm(request.GET))
    rows = caselist.as_rows(caselist.find(user, filters, request.GET.get("sort", "")))
    log.record("case_list.exported", actor=user, title=savedviews.words_of(request.GET.urlencode()))
    return delivery.attachment(csv_chunks(rows), name="ircase_cases.csv")


@require_http_methods(["GET", "POST"])
@login_required
def case_new(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    opening.require_opener(user)
    form = NewCaseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            case = opening.open_by_hand(actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{case.reference} is open, and you lead it.")
            return redirect("ircase:case", case.reference)
    return render(request, "ircase/case_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def case_join(request: HttpRequest) -> HttpResponse:
    """An administrator's way into a case, with a reason that its leads read."""
    user = access.current_user(request)
    access.require_administrator(user)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        # The one look-up past `visible_to`: joining is what makes the case visible, and it is logged on the case.
        case = Case.objects.filter(reference=form.cleaned_data["reference"].strip().upper()).first()
        if case is None:
            form.add_error("reference", "No case has this reference.")
        else:
            cases.join_as_administrator(case=case, actor=user, reason=form.cleaned_data["reason"])
            return redirect("ircase:case", case.reference)
    return render(request, "ircase/case_join.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@login_required
def case(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    found = access.get_case(user, reference)
    return render_tab(request, found, "overview", "case/overview.html", overview_context(found))


def overview_context(found: Case, **forms: Any) -> dict[str, Any]:
    """The overview's own data; `forms` replaces the empty ones where a person's input has to be shown again."""
    head = head_of(found)
    plan = CasePlaybook.objects.filter(case=found).first()
    recent = LogEntry.objects.filter(case=found).order_by("-sequence")[:RECENT]
    return {
        "head": head,
        "plan": plan.content if plan else None,
        "recent": sentences(found, recent, {item.key: item.title for item in head.items}),
        "clocks": head.clocks,
        "suggestions": _suggestions(head.items if found.is_open else ()),
        "connect_form": ConnectForm() if found.connection_id is None else None,
        "milestone_form": MilestoneForm(),
        "member_form": MemberForm(),
        **forms,
    }


def _suggestions(items: Iterable[ChecklistItem]) -> dict[str, list[str]]:
    """Ids of the hunts, collections and response actions that open items suggest, each once, in the items' order."""
    hunts: dict[str, None] = {}
    collections: dict[str, None] = {}
    actions: dict[str, None] = {}
    for item in items:
        if item.state in ChecklistItem.LIVE:
            hunts |= dict.fromkeys(item.suggested_hunts)
            collections |= dict.fromkeys(item.suggested_collections)
            actions |= dict.fromkeys(item.suggested_actions)
    return {"hunts": list(hunts)[:8], "collections": list(collections)[:4], "actions": list(actions)[:4]}


@require_http_methods(["GET", "POST"])
@login_required
def case_edit(request: HttpRequest, reference: str) -> HttpResponse:
    return _edit(request, reference, EditCaseForm, "case/edit.html", "Saved.")


@require_http_methods(["GET", "POST"])
@login_required
def case_summary(request: HttpRequest, reference: str) -> HttpResponse:
    return _edit(request, reference, SummaryForm, "case/summary.html", "The summary is saved.")


def _edit(request: HttpRequest, reference: str, kind: type[EditForm], template: str, success: str) -> HttpResponse:
    user, found = case_to_change(request, reference)
    now = {name: getattr(found, name) for name in kind.base_fields}
    form = kind(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        overtaken = form.overtaken(now)
        if overtaken:
            form = kind.merging(request.POST, now, overtaken)
        elif attempt(request, success, lambda: cases.edit_case(case=found, actor=user, **form.changes())):
            return redirect("ircase:case", found.reference)
    return render_tab(request, found, "overview", template, {"form": form}, status=422 if form.errors else 200)
