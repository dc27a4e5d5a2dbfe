"""The door that other systems post incidents to, and the pages on which administrators keep those systems."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.incidentdoors import SourceForm
from ircase.intake import mapped
from ircase.intake.entities import entities_of
from ircase.models import IncidentSource
from ircase.services.incidents import incidentdoors
from ircase.views.guard import administrators_only
from msapi.incidents import read_incident

PREVIEWED = 10


@csrf_exempt
@require_POST
def hook(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A signed delivery: X-IRCase-Timestamp, X-IRCase-Signature, JSON. docs/incidents.md says how to sign."""
    try:
        body = _body(request)
        receipt = incidentdoors.receive(
            uuid=uuid,
            stamp=request.headers.get("X-IRCase-Timestamp", ""),
            signature=request.headers.get("X-IRCase-Signature", ""),
            body=body,
        )
    except incidentdoors.Refused as error:
        return JsonResponse({"title": str(error), "status": error.status}, status=error.status)
    return JsonResponse({"taken": receipt.taken, "problems": list(receipt.problems)}, status=202)


def _body(request: HttpRequest) -> bytes:
    """The whole body, read only where it says that it is small enough. Raises Refused."""
    too_large = incidentdoors.Refused(413, f"A delivery may have {incidentdoors.MOST_BYTES // 1024} KiB. Send several.")
    try:
        declared = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        declared = 0
    if declared > incidentdoors.MOST_BYTES:
        raise too_large
    try:
        body = request.body
    except (RequestDataTooBig, OSError):
        raise too_large from None
    if len(body) > incidentdoors.MOST_BYTES:
        raise too_large
    return body


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    found = IncidentSource.objects.select_related("connection")
    return render(request, "administration/incident_sources.html", {"sources": found})


@require_http_methods(["GET", "POST"])
@administrators_only
def new(request: HttpRequest) -> HttpResponse:
    return _edit(request, IncidentSource(kind=IncidentSource.Kind.WEBHOOK))


@require_http_methods(["GET", "POST"])
@administrators_only
def source(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(IncidentSource, pk=pk))


def _edit(request: HttpRequest, found: IncidentSource) -> HttpResponse:
    form = SourceForm(request.POST or None, instance=found)
    preview: dict[str, Any] | None = None
    if request.method == "POST" and form.is_valid():
        if request.POST.get("action") == "preview":
            preview = _preview(form.cleaned_data["sample"], form.cleaned_data["mapping"], form.cleaned_data["name"])
        else:
            return _saved(request, form, found.pk is None)
    saved = IncidentSource.objects.filter(pk=found.pk).first() if found.pk else None
    return _page(request, form, saved, preview=preview, status=422 if form.errors else 200)


def _saved(request: HttpRequest, form: SourceForm, is_new: bool) -> HttpResponse:
    actor = access.current_user(request)
    try:
        kept = incidentdoors.save_source(source=form.save(commit=False), actor=actor)
    except ValidationError as error:
        form.add_error(None, error.messages)
        return _page(request, form, None, status=422)
    if is_new:
        secret = incidentdoors.new_secret(source=kept, actor=actor)
        return _page(request, SourceForm(instance=kept), kept, secret=secret)
    messages.success(request, f"{kept.name} is saved.")
    return redirect("ircase:incident_source", kept.pk)


def _page(
    request: HttpRequest, form: SourceForm, saved: IncidentSource | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    address = request.build_absolute_uri(reverse("ircase:incident_hook", args=[saved.uuid])) if saved else ""
    context = {"form": form, "saved": saved, "address": address, "window": incidentdoors.WINDOW // 60, **more}
    return render(request, "administration/incident_source.html", context, status=status)


def _preview(sample: str, mapping: dict[str, Any], name: str) -> dict[str, Any]:
    """What the mapping makes of a sample: the incidents with what they name, or why there are none."""
    try:
        items = mapped.items_of(json.loads(sample), mapping)
    except mapped.Unmappable as error:
        return {"problem": str(error)}
    except (ValueError, RecursionError) as error:
        return {"problem": f"The sample is no JSON: {error}"}
    return {"rows": [_row(item, mapping, name) for item in items[:PREVIEWED]], "total": len(items)}


def _row(item: Any, mapping: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        raw = mapped.incident_of(item, mapping, mapped.Origin(name, timezone.now()))
    except mapped.Unmappable as error:
        return {"problem": str(error)}
    return {"incident": read_incident(raw), "entities": entities_of(read_incident(raw))[:20]}


@require_POST
@administrators_only
def secret(request: HttpRequest, pk: int) -> HttpResponse:
    """A new secret, shown this once."""
    found = get_object_or_404(IncidentSource, pk=pk, kind=IncidentSource.Kind.WEBHOOK)
    made = incidentdoors.new_secret(source=found, actor=access.current_user(request))
    return _page(request, SourceForm(instance=found), found, secret=made)
