"""One event of the timeline: written, changed, taken off."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access, attack
from ircase.curated import times
from ircase.forms.timeline import EditEventForm, EventForm
from ircase.models import Asset, Case, Event, Indicator, User
from ircase.pages import render_tab
from ircase.recognition import recognise
from ircase.services.analysis import findings
from ircase.views.doors import attempt, case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def event_new(request: HttpRequest, reference: str) -> HttpResponse:
    """A new event. The buttons that add an asset, an indicator or a technique come back with all that was typed."""
    user, case = case_to_change(request, reference)
    if request.method == "POST" and request.POST.get("add"):
        return _form(request, case, "case/event_new.html", _added(request, case, user, EventForm))
    form = EventForm(request.POST or None, case=case, person=user)
    if request.method == "POST" and form.is_valid():
        try:
            findings.add_event(case=case, actor=user, **form.event_values())
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The event is on the timeline.")
            return redirect("ircase:timeline", case.reference)
    return _form(request, case, "case/event_new.html", form)


def _form(request: HttpRequest, case: Case, template: str, form: EventForm, **more: Any) -> HttpResponse:
    now = attack.release()
    context = {
        "form": form,
        "known": now.techniques.values(),
        "zones": times.zones(),
        "version": now.version,
        "asset_kinds": Asset.Kind.choices,
        **more,
    }
    return render_tab(request, case, "timeline", template, context, status=422 if form.errors else 200)


def _added(request: HttpRequest, case: Case, user: User, kind: type[EventForm]) -> EventForm:
    """The form as it was typed, with one thing more that it names."""
    typed: dict[str, Any] = {
        name: request.POST.getlist(name) if name in ("assets", "indicators") else request.POST.get(name, "")
        for name in kind.base_fields
    }
    try:
        match request.POST["add"]:
            case "asset":
                typed["assets"].append(_new_asset(request, case, user))
            case "indicator":
                typed["indicators"].append(_new_indicator(request, case, user))
            case _:
                typed |= _one_more_technique(typed)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return kind(initial=typed, case=case, person=user)


def _new_asset(request: HttpRequest, case: Case, user: User) -> str:
    name = request.POST.get("new_asset", "").strip()
    if not name:
        raise ValidationError("Write the asset's name.")
    kind = request.POST.get("new_asset_kind", "")
    if kind not in Asset.Kind.values:
        raise ValidationError("Choose what the asset is.")
    asset, new = findings.add_asset(case=case, actor=user, kind=kind, name=name)
    messages.success(request, f"{asset.name} is added and chosen." if new else f"{asset.name} is chosen.")
    return str(asset.uuid)


def _new_indicator(request: HttpRequest, case: Case, user: User) -> str:
    value = request.POST.get("new_indicator", "").strip()
    if not value:
        raise ValidationError("Write the indicator.")
    kind = recognise(value)
    found, new = findings.add_indicator(case=case, actor=user, kind=kind, value=value, tlp=case.tlp)
    words = f"{Indicator.Kind(kind).label} {found.value[:80]}"
    messages.success(request, f"{words} is added and chosen." if new else f"{words} is chosen.")
    return str(found.uuid)


def _one_more_technique(typed: dict[str, Any]) -> dict[str, str]:
    found = attack.find(typed["technique"])
    if found is None:
        raise ValidationError("ATT&CK for Enterprise has no such technique. Write T1547, T1547.001 or its name.")
    lines = [*typed["techniques"].splitlines(), found.id]
    return {"technique": "", "techniques": "\n".join(dict.fromkeys(line.strip() for line in lines if line.strip()))}


@require_http_methods(["GET", "POST"])
@login_required
def event(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One event with its source row; saved by POST."""
    if request.method == "GET":
        user = access.current_user(request)
        case = access.get_case(user, reference)
        found = _event(case, uuid)
        form = EditEventForm(initial=_values(found), case=case, person=user)
        return _form(request, case, "case/event.html", form, event=found)
    user, case = case_to_change(request, reference)
    found = _event(case, uuid)
    if request.POST.get("add"):
        typed = _added(request, case, user, EditEventForm)
        return _form(request, case, "case/event.html", typed, event=found, editing=True)
    form = EditEventForm(request.POST, initial=_values(found), case=case, person=user)
    if form.is_valid():
        try:
            if changes := form.changes(found):
                findings.edit_event(event=found, actor=user, **changes)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved.")
            return redirect("ircase:timeline", case.reference)
    return _form(request, case, "case/event.html", form, event=found, editing=True)


def _event(case: Case, uuid: UUID) -> Event:
    found = case.events.select_related("added_by").prefetch_related("techniques", "assets", "indicators", "tags")
    one = found.filter(uuid=uuid).first()
    if one is None:
        raise Http404("No such event.")
    return one


def _values(found: Event) -> dict[str, Any]:
    plain = ("title", "lane", "description", "in_report", "precision", "zone")
    return {name: getattr(found, name) for name in plain} | {
        "at": times.text_of(found.at, found.zone),
        "until": times.text_of(found.until, found.zone) if found.until else "",
        "zone": found.zone,
        "technique": "",
        "techniques": "\n".join(str(one) for one in found.techniques.all()),
        "assets": [str(one.uuid) for one in found.assets.all()],
        "indicators": [str(one.uuid) for one in found.indicators.all()],
        "tags": " ".join(tag.name for tag in found.tags.all()),
        "discovered_at": found.discovered_at.replace(microsecond=0) if found.discovered_at else None,
    }


@require_POST
@login_required
def event_remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    reason = findings.clean(request.POST.get("reason", "")).strip()[:2000]
    if not reason:
        messages.error(request, "Say why the event is taken off; the log keeps it.")
        return redirect("ircase:event", case.reference, uuid)
    found, said = _event(case, uuid), "The event is off the timeline. The log keeps what it said."
    if attempt(request, said, lambda: findings.remove_event(event=found, actor=user, reason=reason)):
        return redirect("ircase:timeline", case.reference)
    return redirect("ircase:event", case.reference, uuid)
