"""The triage queue: incidents of the tenants and of other sources, before anybody has made a case of them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, jobs
from ircase.forms.intake import AcceptForm, DismissForm, IntakeFilterForm, MergeForm
from ircase.intake import queue, similar
from ircase.models import Case, Connection, IncidentSource, IncomingIncident, User
from ircase.services.incidents import intake as service
from ircase.services.incidents import merging
from ircase.store import StoreError
from ircase.wording import counted
from msapi.incidents import read_incident

PER_PAGE = 25
MOST_AT_ONCE = 200
ENTITIES_SHOWN = 100


def _analyst(request: HttpRequest) -> User:
    user = access.current_user(request)
    service.require_inbox(user)
    return user


@require_GET
@login_required
def intake(request: HttpRequest) -> HttpResponse:
    user = _analyst(request)
    form = IntakeFilterForm(request.GET)
    filters, sort = queue.read_filters(form), request.GET.get("sort", "")
    page = Paginator(queue.find(user, filters, sort), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "sort": sort,
        "cases": service.cases_of_page(user, page.object_list),
        "connections": Connection.objects.filter(enabled=True).select_related("incident_feed"),
        "sources": IncidentSource.objects.filter(enabled=True),
        "filtered": queue.is_filtered(filters),
        "dismiss_form": DismissForm(),
    }
    return render(request, "ircase/intake.html", context)


@require_POST
@login_required
def intake_dismiss(request: HttpRequest) -> HttpResponse:
    """Dismiss the picked incidents, all with one reason."""
    user = _analyst(request)
    picked = [int(pk) for pk in request.POST.getlist("incident") if pk.isdecimal() and len(pk) < 19][:MOST_AT_ONCE]
    form = DismissForm(request.POST)
    if not picked:
        messages.error(request, "Pick at least one incident.")
    elif not form.is_valid():
        messages.error(request, "Say why no case is needed; colleagues will ask.")
    else:
        rows = IncomingIncident.objects.filter(pk__in=picked).defer("raw")
        number = service.dismiss_many(incidents=rows, actor=user, reason=form.cleaned_data["reason"])
        messages.success(request, f"{counted(number, 'incident')} dismissed. They can be taken back at any time.")
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return redirect(back)
    return redirect("ircase:intake")


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
    found = get_object_or_404(
        IncomingIncident.objects.select_related("connection", "source__connection", "dismissed_by"), pk=incident
    )
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "accept":
        return _accept(request, user, found)
    if action == "merge":
        return _merge(request, user, found)
    if action == "dismiss":
        return _dismiss(request, user, found)
    if action == "take_back":
        service.take_back(incident=found, actor=user)
        messages.success(request, "The incident waits again.")
        return redirect("ircase:intake_item", found.pk)
    return _page(request, user, found)


def _page(request: HttpRequest, user: User, found: IncomingIncident, **forms: Form) -> HttpResponse:
    initial = {"title": found.title[:200], "playbook": service.suggest_playbook(found)}
    cases = list(service.cases_of(user, found))
    keys = similar.keys_of(found)
    context = {
        "incident": found,
        "facts": read_incident(found.raw),
        "cases": cases,
        "similar": similar.similar_cases(user, keys, leave_out=[case.pk for case in cases]),
        "alike": similar.alike_incidents(found, keys),
        "entities": keys[:ENTITIES_SHOWN],
        "accept_form": AcceptForm(initial=initial),
        "merge_form": MergeForm(user=user),
        "dismiss_form": DismissForm(),
        **forms,
    }
    return render(request, "ircase/intake_item.html", context, status=422 if forms else 200)


def _merge(request: HttpRequest, user: User, found: IncomingIncident) -> HttpResponse:
    form = MergeForm(request.POST, user=user)
    if form.is_valid():
        case = form.cleaned_data["case"]
        if not access.may(case, access.ANALYST):
            form.add_error("case", "You may read this case, not write in it. Ask its lead for the role Analyst.")
        elif _merged(form, case, user, found):
            messages.success(request, f"The incident is part of {case.reference} now.")
            return redirect("ircase:case_incidents", case.reference)
    return _page(request, user, found, merge_form=form)


def _merged(form: MergeForm, case: Case, user: User, found: IncomingIncident) -> bool:
    try:
        merging.merge(case=case, incident=found, actor=user)
    except ValidationError as error:
        form.add_error(None, error.messages)
    except StoreError as error:
        form.add_error(None, str(error))
    return form.is_valid()


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
