"""What happened when: the case's curated timeline."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, attack
from ircase.forms.findings import EditEventForm, EventForm
from ircase.models import Case, Event
from ircase.pages import render_tab
from ircase.services import findings
from ircase.views.doors import case_to_change

PER_PAGE = 100


@require_GET
@login_required
def timeline(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    chosen = {name: findings.clean(request.GET.get(name, ""))[:200].strip() for name in ("lane", "technique", "q")}
    page = Paginator(_find(case, **chosen), PER_PAGE).get_page(request.GET.get("page"))
    used = Event.objects.filter(case=case).exclude(technique="").order_by("technique")
    context = {
        "page": page,
        "chosen": chosen,
        "lanes": Event.Lane.choices,
        "techniques": [attack.techniques().get(t, t) for t in used.values_list("technique", flat=True).distinct()],
        "filtered": any(chosen.values()),
    }
    return render_tab(request, case, "timeline", "case/timeline.html", context)


def _find(case: Case, lane: str, technique: str, q: str) -> QuerySet[Event]:
    """Oldest first. A technique brings its sub-techniques."""
    found = Event.objects.filter(case=case).select_related("added_by").prefetch_related("assets").defer("row")
    if lane:
        found = found.filter(lane=lane)
    if technique:
        found = found.filter(Q(technique=technique) | Q(technique__startswith=f"{technique}."))
    for word in q.split()[:8]:
        found = found.filter(
            Q(title__icontains=word) | Q(description__icontains=word) | Q(source__icontains=word)
            | Q(assets__name__icontains=word)
        )  # fmt: skip
    return found.distinct() if q else found


@require_http_methods(["GET", "POST"])
@login_required
def event_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = EventForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            findings.add_event(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The event is on the timeline.")
            return redirect("ircase:timeline", case.reference)
    return _form(request, case, "case/event_new.html", form)


def _form(request: HttpRequest, case: Case, template: str, form: EventForm, **more: Any) -> HttpResponse:
    context = {"form": form, "known": attack.techniques().values(), **more}
    return render_tab(request, case, "timeline", template, context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def event(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One event with its source row; saved by POST."""
    if request.method == "GET":
        case = access.get_case(access.current_user(request), reference)
        found = _event(case, uuid)
        return _form(request, case, "case/event.html", EditEventForm(initial=_values(found)), event=found)
    user, case = case_to_change(request, reference)
    found = _event(case, uuid)
    form = EditEventForm(request.POST, initial=_values(found))
    if form.is_valid():
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            findings.edit_event(event=found, actor=user, **changes)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved.")
            return redirect("ircase:timeline", case.reference)
    return _form(request, case, "case/event.html", form, event=found)


def _event(case: Case, uuid: UUID) -> Event:
    found = case.events.select_related("added_by").filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such event.")
    return found


def _values(found: Event) -> dict[str, Any]:
    # A time is edited to the second; what is finer stays as long as nobody changes the time.
    values = {name: getattr(found, name) for name in EditEventForm.base_fields}
    return values | {"at": found.at.replace(microsecond=0)}


@require_POST
@login_required
def event_remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    reason = findings.clean(request.POST.get("reason", "")).strip()[:2000]
    if not reason:
        messages.error(request, "Say why the event is taken off; the log keeps it.")
        return redirect("ircase:event", case.reference, uuid)
    findings.remove_event(event=_event(case, uuid), actor=user, reason=reason)
    messages.success(request, "The event is off the timeline. The log keeps what it said.")
    return redirect("ircase:timeline", case.reference)
