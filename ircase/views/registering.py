"""Exhibits that lie elsewhere, from a CSV: shown as they are read, then registered all at once."""

import base64
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from ircase.curated import times
from ircase.forms.custody import RegisterAgainForm, RegisterForm
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.services.evidence import StoreError
from ircase.services.transfer import uploads
from ircase.services.vault import registering
from ircase.services.vault.custody import What
from ircase.views.doors import case_to_change, file_refused


@csrf_exempt  # `_read` and `_register` check it, after the handler that takes the file is in place
@require_http_methods(["GET", "POST"])
@login_required
def register(request: HttpRequest, reference: str) -> HttpResponse:
    """A file, what it is read as, and then its exhibits."""
    user, case = case_to_change(request, reference)
    if request.method != "POST":
        return _page(request, case, {"form": RegisterForm()})
    if not (request.content_type or "").startswith("multipart/"):
        response: HttpResponse = _register(request, case, user)
        return response
    try:
        file = uploads.receive_one(request, registering.MOST_BYTES)
    except (ValidationError, RequestDataTooBig) as error:
        return _page(request, case, {"form": file_refused(RegisterForm(request.POST), error)}, status=422)
    response = _read(request, case, file)
    return response


def _page(request: HttpRequest, case: Case, context: dict[str, Any], status: int = 200) -> HttpResponse:
    about = {
        "header": registering.HEADER,
        "needed": ", ".join(registering.NEEDED),
        "kinds": ", ".join(What.values),
        "zones": times.zones(),
    }
    return render_tab(request, case, "evidence", "custody/register.html", {**about, **context}, status=status)


@csrf_protect
def _read(request: HttpRequest, case: Case, upload: uploads.Upload) -> HttpResponse:
    form = RegisterForm(request.POST, {"file": upload})
    if not form.is_valid():
        return _page(request, case, {"form": form}, status=422)
    data = upload.read(registering.MOST_BYTES + 1)
    more = {name: form.cleaned_data[name] for name in ("zone", "purpose")}
    try:
        reading = registering.read(data, name=upload.name or "", **more)
    except ValidationError as error:
        form.add_error(None, error.messages)
        return _page(request, case, {"form": form}, status=422)
    context: dict[str, Any] = {"form": RegisterForm(initial=more), "reading": reading}
    if reading.wrong:
        return _page(request, case, context, status=422)
    again = {**more, "content": base64.b64encode(data).decode(), "name": reading.name}
    return _page(request, case, {**context, "again_form": RegisterAgainForm(initial=again)})


@csrf_protect
def _register(request: HttpRequest, case: Case, user: User) -> HttpResponse:
    """What the preview showed, read anew: nothing that the page sends back is believed."""
    sent = RegisterAgainForm(request.POST)
    form = RegisterForm(initial={name: request.POST.get(name, "") for name in ("zone", "purpose")})
    if not sent.is_valid():
        return _refused(request, case, form, ["Choose the file again."])
    values = sent.cleaned_data
    more = {name: values[name] for name in ("name", "zone", "purpose")}
    try:
        made = registering.register(case=case, actor=user, reading=registering.read(values["content"], **more))
    except ValidationError as error:
        return _refused(request, case, form, error.messages)
    except StoreError as error:
        return _refused(request, case, form, [str(error)])
    first, last = made[0].exhibit, made[-1].exhibit
    messages.success(request, f"{first} is registered." if first == last else f"{first} to {last} are registered.")
    return redirect("ircase:evidence", case.reference)


def _refused(request: HttpRequest, case: Case, form: RegisterForm, said: list[str]) -> HttpResponse:
    for one in said:
        messages.error(request, one)
    return _page(request, case, {"form": form}, status=422)
