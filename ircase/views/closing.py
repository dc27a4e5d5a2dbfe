"""Closing a case: the check, the question to a second person, and the close."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.life import CloseForm
from ircase.models import Case, Improvement, User
from ircase.pages import render_tab
from ircase.services.analysis.findings import clean
from ircase.services.casework import closing as service
from ircase.views.doors import case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def closing(request: HttpRequest, reference: str) -> HttpResponse:
    if request.method == "POST":
        user, case = case_to_change(request, reference, access.LEAD)
        return _close(request, user, case)
    user = access.current_user(request)
    return _page(request, user, access.get_case(user, reference), CloseForm())


def _close(request: HttpRequest, user: User, case: Case) -> HttpResponse:
    form = CloseForm(request.POST)
    if form.is_valid():
        try:
            asked = service.close(case=case, actor=user, reason=clean(form.cleaned_data["reason"]))
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            words = "A second lead is asked to review it." if asked else "The case is closed."
            messages.success(request, words)
            return redirect("ircase:closing" if asked else "ircase:case", case.reference)
    return _page(request, user, case, form)


def _page(request: HttpRequest, user: User, case: Case, form: CloseForm) -> HttpResponse:
    found = service.look_over(case) if case.is_open else []
    asked = service.waiting(case)
    context = {
        "holding": [one for one in found if one.holds],
        "advised": [one for one in found if not one.holds],
        "review": service.needs_review(case),
        "asked": asked,
        "own": asked is not None and asked.requested_by_id == user.pk,
        "sent_back": service.last_answer(case) if asked is None and case.is_open else None,
        "form": form,
        "improvements": Improvement.objects.filter(case=case).count(),
    }
    status = 422 if form.errors else 200
    return render_tab(request, case, "overview", "case/closing.html", context, status=status)
