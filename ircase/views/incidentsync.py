"""What is kept the same with Defender: per connection by administrators, per case by those who work on it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.incidentsync import SyncForm
from ircase.models import CaseIncident, Connection, IncidentSync, SyncConflict
from ircase.services.incidents import incidentsync
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only


@require_http_methods(["GET", "POST"])
@administrators_only
def connection_sync(request: HttpRequest, pk: int) -> HttpResponse:
    """What a connection keeps the same. Off, until an administrator switches it on."""
    found = get_object_or_404(Connection, pk=pk)
    row = IncidentSync.objects.filter(connection=found).first() or IncidentSync(connection=found)
    form = SyncForm(
        request.POST or None, initial={"enabled": row.enabled, "values": row.fields, "comments": row.comments}
    )
    if request.method == "POST" and form.is_valid():
        incidentsync.set_sync(
            connection=found,
            actor=access.current_user(request),
            enabled=form.cleaned_data["enabled"],
            fields=form.cleaned_data["values"],
            comments=form.cleaned_data["comments"],
        )
        messages.success(request, "Saved. The next tick compares the cases with Defender.")
        return redirect("ircase:connection_sync", pk)
    features = (found.preflight or {}).get("features", [])
    lacking = next((f for f in features if f.get("key") == "incidents.write" and not f.get("ok")), None)
    context = {"connection": found, "form": form, "lacking": lacking}
    return render(request, "administration/connection_sync.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def case_sync(request: HttpRequest, reference: str) -> HttpResponse:
    """A lead's word on whether this confidential case may be told to Defender."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    allowed = request.POST.get("allowed") == "1"
    incidentsync.allow(case=case, actor=user, allowed=allowed)
    messages.success(
        request, "Defender is told from now on." if allowed else "Nothing of the case is told to Defender."
    )
    return redirect("ircase:case_incidents", case.reference)


@require_POST
@login_required
def case_incident_tell(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A comment for Defender, or whom the incident is assigned to there. Also after the case is closed."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    link = get_object_or_404(CaseIncident.objects.filter(case=case).select_related("case", "incoming"), uuid=uuid)
    if request.POST.get("action") == "assign":
        to = request.POST.get("to", "")
        attempt(request, "Saved; Defender is told.", lambda: incidentsync.assign(link=link, actor=user, to=to))
    else:
        text = request.POST.get("text", "")
        attempt(request, "The comment is on its way.", lambda: incidentsync.comment(link=link, actor=user, text=text))
    return redirect("ircase:case_incidents", case.reference)


@require_POST
@login_required
def case_sync_choice(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Choose between the two sides of a conflict."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    conflict = get_object_or_404(SyncConflict.objects.filter(link__case=case), uuid=uuid)
    try:
        incidentsync.choose(conflict=conflict, actor=user, choice=request.POST.get("choice", ""))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except PermissionDenied as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Chosen.")
    return redirect("ircase:case_incidents", case.reference)
