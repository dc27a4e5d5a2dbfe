"""What a lead does with a case: phases, closing, confidentiality, members; and the milestones that analysts set too."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from ircase import access
from ircase.forms.cases import ConnectForm, MemberForm, MilestoneForm
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.services import cases
from ircase.services.analysis.findings import clean
from ircase.views.cases import overview_context
from ircase.views.doors import attempt, case_to_change


def _again(request: HttpRequest, case: Case, **forms: object) -> HttpResponse:
    """The overview with what was typed and what is wrong with it."""
    return render_tab(request, case, "overview", "case/overview.html", overview_context(case, **forms), status=422)


@require_POST
@login_required
def case_connection(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    form = ConnectForm(request.POST)
    if not form.is_valid():
        return _again(request, case, connect_form=form)
    chosen = form.cleaned_data["connection"]
    attempt(
        request,
        f"The case is connected to {chosen.name}.",
        lambda: cases.connect(case=case, actor=user, connection=chosen),
    )
    return redirect("ircase:case", case.reference)


@require_POST
@login_required
def case_milestone(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = MilestoneForm(request.POST)
    if form.is_valid():
        try:
            cases.set_milestone(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error("at", error.messages)
        else:
            messages.success(request, "The milestone is set.")
            return redirect("ircase:case", case.reference)
    return _again(request, case, milestone_form=form)


@require_POST
@login_required
def case_member(request: HttpRequest, reference: str) -> HttpResponse:
    """Add a member, or give one another role."""
    user, case = case_to_change(request, reference, access.LEAD)
    form = MemberForm(request.POST)
    if form.is_valid():
        try:
            cases.set_member(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{form.cleaned_data['user'].name} is on the case.")
            return redirect("ircase:case", case.reference)
    return _again(request, case, member_form=form)


@require_POST
@login_required
def case_member_remove(request: HttpRequest, reference: str, username: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    leaving = get_object_or_404(User, username=username, memberships__case=case)
    gone = attempt(
        request,
        f"{leaving.name} is no longer on the case.",
        lambda: cases.remove_member(case=case, actor=user, user=leaving),
    )
    if gone and not Case.objects.visible_to(user).filter(pk=case.pk).exists():
        return redirect("ircase:case_list")
    return redirect("ircase:case", case.reference)


@require_POST
@login_required
def case_confidentiality(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    reason, confidential = clean(request.POST.get("reason", "")).strip(), not case.confidential
    if not reason:
        messages.error(request, "Say why; the log keeps it.")
    else:
        cases.set_confidential(case=case, actor=user, confidential=confidential, reason=reason[:2000])
        words = "The case is confidential: members only." if confidential else "The case is an ordinary one again."
        messages.success(request, words)
    return redirect("ircase:case", case.reference)


@require_POST
@login_required
def case_reopen(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    reason = clean(request.POST.get("reason", ""))[:2000]
    attempt(request, "The case is open again.", lambda: cases.reopen_case(case=case, actor=user, reason=reason))
    return redirect("ircase:case", case.reference)
