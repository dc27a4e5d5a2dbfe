"""The inbox of incidents that the tenant's Defender has made."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, jobs
from ircase.forms.intake import AcceptForm, DismissForm, IntakeFilterForm
from ircase.models import Connection, IncomingIncident, User
from ircase.models.intake import ENDED
from ircase.services import intake as service
from ircase.services.findings import clean
from ircase.store import StoreError
from msapi.incidents import read_incident

PER_PAGE = 25


def _analyst(request: HttpRequest) -> User:
    user = access.current_user(request)
    service.require_inbox(user)
    return user


@require_GET
@login_required
def intake(request: HttpRequest) -> HttpResponse:
    user = _analyst(request)
    form = IntakeFilterForm(request.GET)
    form.is_valid()
    found = _find(form.cleaned_data.get("show") or "waiting", form.cleaned_data.get("severity") or "")
    for word in clean(form.cleaned_data.get("q") or "").split()[:8]:
        found = found.filter(Q(title__icontains=word) | Q(incident_id__icontains=word))
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "cases": service.cases_of_page(user, page.object_list),
        "connections": Connection.objects.filter(enabled=True).select_related("incident_feed"),
        "filtered": any(request.GET.get(name) for name in ("q", "severity", "show")),
    }
    return render(request, "ircase/intake.html", context)


def _find(show: str, severity: str) -> QuerySet[IncomingIncident]:
    rows = IncomingIncident.objects.waiting() if show == "waiting" else IncomingIncident.objects.all()
    found = rows.without_raw().select_related("connection")
    if show == "dismissed":
        found = found.exclude(dismissed_at=None)
    elif show == "ended":
        found = found.filter(status__in=ENDED)
    return found.filter(severity=severity) if severity else found


@require_POST
@login_required
def intake_sync(request: HttpRequest) -> HttpResponse:
    """Read the incidents of every connection now."""
    _analyst(request)
    ids = list(Connection.objects.filter(enabled=True).values_list("pk", flat=True))
    for pk in ids:
        jobs.enqueue("ircase.sync_incidents", pk)
    if ids:
        messages.info(request, "Incidents are being read. Reload the page in a moment.")
    else:
        messages.warning(request, "There is no connection to read from. An administrator adds one.")
    return redirect("ircase:intake")


@require_http_methods(["GET", "POST"])
@login_required
def intake_item(request: HttpRequest, incident: int) -> HttpResponse:
    """One incident with what its alerts name; POST opens the case, dismisses it or takes it back."""
    user = _analyst(request)
    found = get_object_or_404(IncomingIncident.objects.select_related("connection", "dismissed_by"), pk=incident)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "accept":
        return _accept(request, user, found)
    if action == "dismiss":
        return _dismiss(request, user, found)
    if action == "take_back":
        service.take_back(incident=found, actor=user)
        messages.success(request, "The incident waits again.")
        return redirect("ircase:intake_item", found.pk)
    return _page(request, user, found)


def _page(request: HttpRequest, user: User, found: IncomingIncident, **forms: AcceptForm | DismissForm) -> HttpResponse:
    initial = {"title": found.title[:200], "playbook": service.suggest_playbook(found)}
    context = {
        "incident": found,
        "facts": read_incident(found.raw),
        "cases": service.cases_of(user, found),
        "accept_form": AcceptForm(initial=initial),
        "dismiss_form": DismissForm(),
        **forms,
    }
    return render(request, "ircase/intake_item.html", context, status=422 if forms else 200)


def _accept(request: HttpRequest, user: User, found: IncomingIncident) -> HttpResponse:
    form = AcceptForm(request.POST)
    if form.is_valid():
        try:
            case, new = service.accept(incident=found, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        except StoreError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{case.reference} is open." if new else f"{case.reference} is its case already.")
            return redirect("ircase:case", case.reference)
    return _page(request, user, found, accept_form=form)


def _dismiss(request: HttpRequest, user: User, found: IncomingIncident) -> HttpResponse:
    form = DismissForm(request.POST)
    if not form.is_valid():
        return _page(request, user, found, dismiss_form=form)
    service.dismiss(incident=found, actor=user, reason=form.cleaned_data["reason"])
    messages.success(request, "The incident no longer waits. It can be taken back at any time.")
    return redirect("ircase:intake")
