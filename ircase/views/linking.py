"""Cases that belong together: links, merging a duplicate, and a case opened after another's pattern."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.life import LinkForm, MergeForm, TemplateForm
from ircase.models import Case, CaseLink, User
from ircase.pages import render_tab
from ircase.services import templating
from ircase.services.analysis.findings import clean
from ircase.services.casework import casemerging, linking, opening
from ircase.views.doors import attempt, case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def links(request: HttpRequest, reference: str) -> HttpResponse:
    if request.method == "GET":
        user = access.current_user(request)
        return _page(request, user, access.get_case(user, reference), LinkForm())
    user, case = case_to_change(request, reference)
    form = LinkForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        other = _visible(user, given["other"])
        if other is None:
            form.add_error("other", "There is no such case, or you may not see it.")
        else:
            try:
                linking.link(case=case, actor=user, other=other, kind=given["kind"], reason=given["reason"])
            except ValidationError as error:
                form.add_error(None, error.messages)
            else:
                messages.success(request, f"Linked with {other.reference}.")
                return redirect("ircase:links", case.reference)
    return _page(request, user, case, form)


def _visible(user: User, reference: str) -> Case | None:
    return Case.objects.visible_to(user).filter(reference=clean(reference).strip().upper()).first()


def _page(request: HttpRequest, user: User, case: Case, form: LinkForm) -> HttpResponse:
    context = {"links": linking.seen_by(case, user), "form": form, "may_open": user.opens_cases}
    return render_tab(request, case, "overview", "case/links.html", context, status=422 if form.errors else 200)


def _link(user: User, case: Case, uuid: UUID) -> CaseLink:
    found = next((one.link for one in linking.seen_by(case, user) if one.link.uuid == uuid), None)
    if found is None:
        raise Http404("No such link.")
    return found


@require_POST
@login_required
def link_remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference)
    made = _link(user, case, uuid)
    attempt(request, "The link is removed.", lambda: linking.unlink(made=made, actor=user, case=case))
    return redirect("ircase:links", case.reference)


@require_POST
@login_required
def merge_undo(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """From either side, by who leads both: the duplicate is closed, so this door is not held by that."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    made, reason = _link(user, case, uuid), clean(request.POST.get("reason", ""))[:2000]
    attempt(
        request,
        "The merge is undone. What somebody had worked on since stays.",
        lambda: casemerging.undo(made=made, actor=user, reason=reason),
    )
    return redirect("ircase:links", case.reference)


@require_http_methods(["GET", "POST"])
@login_required
def merge(request: HttpRequest, reference: str) -> HttpResponse:
    """Into which case (`?into=`), then what would happen, then the merge."""
    user, case = case_to_change(request, reference, access.LEAD)
    form = MergeForm(request.POST or None)
    wanted = request.POST.get("into") or request.GET.get("into") or ""
    into = _visible(user, wanted) if wanted else None
    missing = bool(wanted) and into is None
    if request.method == "POST" and into is not None and form.is_valid():
        target = into
        if attempt(
            request,
            f"Merged into {target.reference}. This case is closed as its duplicate.",
            lambda: casemerging.merge(case=case, into=target, actor=user, reason=form.cleaned_data["reason"]),
        ):
            return redirect("ircase:case", target.reference)
    plan = casemerging.plan(case, into, user) if into is not None else None
    context = {"into": into, "plan": plan, "form": form, "wanted": wanted, "missing": missing}
    status = 422 if form.errors or missing else 200
    return render_tab(request, case, "overview", "case/merge.html", context, status=status)


@require_http_methods(["GET", "POST"])
@login_required
def case_like(request: HttpRequest, reference: str) -> HttpResponse:
    """Open a case after the pattern of this one."""
    user = access.current_user(request)
    source = access.get_case(user, reference)
    opening.require_opener(user)
    initial = {"severity": source.severity, "confidential": source.confidential}
    form = TemplateForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = templating.open_from(source=source, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{made.reference} is open, and you lead it.")
            return redirect("ircase:case", made.reference)
    context = {"form": form, "items": templating.own_items(source), "hunts": templating.hunts_of(source)}
    return render_tab(request, source, "overview", "case/like.html", context, status=422 if form.errors else 200)
