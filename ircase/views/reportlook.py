"""The organisation's look of its reports: an administration page, each version kept."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.reports import LookForm
from ircase.models import ReportLook
from ircase.report import fields
from ircase.services.reporting import looks
from ircase.views.fresh import recently
from ircase.views.guard import administrators_only

MOST = 50


@require_http_methods(["GET", "POST"])
@administrators_only
@recently(only_post=True)
def look(request: HttpRequest) -> HttpResponse:
    """What holds now; a POST saves the next version."""
    now = looks.current()
    form = LookForm(request.POST or None, request.FILES or None, instance=now or ReportLook())
    if request.method == "POST" and form.is_valid():
        try:
            made = looks.save_look(
                look=form.save(commit=False),
                actor=access.current_user(request),
                logo=form.cleaned_data["picture"],
                drop_logo=form.cleaned_data["drop_logo"],
            )
        except ValidationError as error:
            _say(form, error)
        else:
            messages.success(request, f"Version {made.number} is saved. Reports built from now on have it.")
            return redirect("ircase:report_look")
    versions = ReportLook.objects.select_related("made_by").defer("logo")[:MOST]
    context: dict[str, Any] = {"form": form, "now": now, "has_logo": bool(now and now.logo_name), "versions": versions}
    context["fields"] = [f"{{{name}}}" for name in fields.FIELDS]
    return render(request, "administration/report_look.html", context, status=422 if form.errors else 200)


def _say(form: LookForm, error: ValidationError) -> None:
    for name, said in (error.message_dict if hasattr(error, "error_dict") else {"__all__": error.messages}).items():
        form.add_error({"logo": "picture", "__all__": None}.get(name, name), said)


@require_GET
@administrators_only
def logo(request: HttpRequest) -> HttpResponse:
    """The logo that holds now, as we drew it."""
    now = looks.current()
    if now is None or not now.logo:
        raise Http404("There is no logo.")
    reply = HttpResponse(bytes(now.logo), content_type="image/png")
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return reply
