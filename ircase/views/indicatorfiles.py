"""Indicators out of others' files: read, chosen, added."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from ircase.exchange.reading import MOST_BYTES, MOST_ITEMS
from ircase.forms.indicatorfiles import ChosenItemsForm, IndicatorFileForm
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.services.analysis import indicatorfiles
from ircase.services.transfer import uploads
from ircase.views.doors import case_to_change, file_refused, say_errors

MOST_SAID = 5


@csrf_exempt  # `_read` and `_add` check it, after the handler that takes the file is in place
@require_http_methods(["GET", "POST"])
@login_required
def indicators_file(request: HttpRequest, reference: str) -> HttpResponse:
    """A file, what was understood of it, and the chosen ones onto the case."""
    user, case = case_to_change(request, reference)
    if request.method != "POST":
        return _page(request, case, {"form": IndicatorFileForm()})
    if not (request.content_type or "").startswith("multipart/"):
        response: HttpResponse = _add(request, case, user)
        return response
    try:
        file = uploads.receive_one(request, MOST_BYTES)
    except (ValidationError, RequestDataTooBig) as error:
        return _page(request, case, {"form": file_refused(IndicatorFileForm(request.POST), error)}, status=422)
    response = _read(request, case, file)
    return response


def _page(request: HttpRequest, case: Case, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render_tab(request, case, "entities", "sharing/indicator_file.html", context, status=status)


@csrf_protect
def _read(request: HttpRequest, case: Case, upload: uploads.Upload) -> HttpResponse:
    form = IndicatorFileForm(request.POST, {"file": upload})
    if not form.is_valid():
        return _page(request, case, {"form": form}, status=422)
    try:
        found = indicatorfiles.reading_of(upload.read(MOST_BYTES + 1))
    except ValidationError as error:
        form.add_error("file", error.messages)
        return _page(request, case, {"form": form}, status=422)
    initial = {"tlp": case.tlp, "sender": found.sender, "name": (upload.name or "")[:200]}
    context = {
        "form": IndicatorFileForm(),
        "reading": found,
        "name": upload.name,
        "offered": indicatorfiles.offered(case, found.items),
        "chosen_form": ChosenItemsForm(initial=initial),
        "most": MOST_ITEMS,
    }
    return _page(request, case, context)


@csrf_protect
def _add(request: HttpRequest, case: Case, user: User) -> HttpResponse:
    form = ChosenItemsForm(request.POST)
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in said] for name, said in form.errors.items()})
        return redirect("ircase:indicators_file", case.reference)
    tokens = request.POST.getlist("one")
    if not tokens:
        messages.error(request, "Choose what is to be added.")
        return redirect("ircase:indicators_file", case.reference)
    done = indicatorfiles.add(case=case, actor=user, tokens=tokens, **form.cleaned_data)
    if done.refused:
        messages.error(request, " ".join(done.refused[:MOST_SAID]))
    already = f" {done.known} were there already." if done.known else ""
    messages.success(request, f"{done.added} indicator{'' if done.added == 1 else 's'} added.{already}")
    return redirect(reverse("ircase:entities", args=[case.reference]) + "#indicators")
