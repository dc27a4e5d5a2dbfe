"""A device of a case: what is known of it, what was collected from it, and its snapshots compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artifacts.comparing import BY_NAME, CATEGORIES, Compared, Difference
from ircase import access
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.views.doors import attempt, case_to_change
from liveresponse import shelf
from liveresponse.models import Lookup
from liveresponse.services import comparisons, lookups, machine_actions, occurrences
from liveresponse.services import devices as services
from liveresponse.services.comparisons import Pair
from liveresponse.services.devices import KnownDevice
from liveresponse.views.answers import shown

MOST_SHOWN = 200
MOST_ACTIONS = 20


def _name(text: str) -> str:
    try:
        return lookups.clean_device(text)
    except ValidationError:
        raise Http404("No such device.") from None


@login_required
@require_GET
def device(request: HttpRequest, reference: str, device: str) -> HttpResponse:
    """One device. `?part=answers` is what the page polls while Defender is asked, `?part=tables` the rows that name
    it."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    key = _name(device)
    known = services.known(case, key)
    context: dict[str, Any] = {
        "device": known, "lookup": known.lookup, "answers": shown(known.lookup), "key": key,
        "asks": "liveresponse:device_ask", "seals": "liveresponse:device_seal",
    }  # fmt: skip
    if request.GET.get("part") == "answers":
        may_write = access.may(case, access.ANALYST) and case.is_open
        return render(request, "liveresponse/_answers.html", {"case": case, "may_write": may_write, **context})
    if request.GET.get("part") == "tables":
        found = occurrences.find(case, user, _searched(known), of_devices=True)
        return render(request, "liveresponse/_found.html", {"case": case, "found": found})
    context |= {
        "collections": services.collections_of(case, known),
        "exhibits": services.exhibits_of(case, known),
        "commented": _commented(known, key),
        "definitions": shelf.definitions().values(),
        "responses": services.responses_to(case, known),
        "machine_actions": machine_actions.of_device(case, known.machine_id or known.title)[:MOST_ACTIONS],
    }
    return render_tab(request, case, "entities", "liveresponse/device.html", context)


def _commented(known: KnownDevice, key: str) -> str:
    """The name that its comments go by: the same by whichever of its names the page was opened."""
    try:
        return lookups.clean_device(known.title)
    except ValidationError:
        return key


def _searched(known: KnownDevice) -> list[str]:
    """What rows are searched for: the DeviceId, and the shortest name, which the longer ones contain."""
    names = sorted((name for name in known.names if name != known.machine_id), key=len)
    return [*names[:1], known.machine_id]


@login_required
@require_POST
def device_ask(request: HttpRequest, reference: str, device: str) -> HttpResponse:
    """Have Defender asked, or asked again."""
    user, case = case_to_change(request, reference)
    name = _name(device)
    attempt(request, "Defender is being asked.", lambda: services.ask(case=case, actor=user, name=name))
    return redirect("liveresponse:device", case.reference, name)


@login_required
@require_POST
def device_seal(request: HttpRequest, reference: str, device: str) -> HttpResponse:
    """Keep the answers as evidence."""
    user, case = case_to_change(request, reference)
    name = _name(device)
    lookup: Lookup | None = services.known(case, name).lookup
    if lookup is None:
        raise Http404("Defender was not asked about this device.")
    attempt(request, "The answers are sealed as evidence.", lambda: lookups.seal(lookup=lookup, actor=user))
    return redirect("liveresponse:device", case.reference, name)


@dataclass(frozen=True)
class Tab:
    """A category with what its comparison found, for the row of links above the lists."""

    name: str
    title: str
    snapshots: int
    url: str


@login_required
@require_http_methods(["GET", "POST"])
def device_snapshots(request: HttpRequest, reference: str, device: str) -> HttpResponse:
    """Two snapshots of one category compared; a difference is pinned to the case by POST."""
    writes = request.method == "POST"
    user = access.current_user(request)
    case = case_to_change(request, reference)[1] if writes else access.get_case(user, reference)
    known = services.known(case, _name(device))
    asked = request.POST if writes else request.GET
    category, found, compared = _compared(case, user, known, asked)
    if writes:
        _pin(request, case, user, found, compared)
        back = reverse("liveresponse:device_snapshots", args=[case.reference, _name(device)])
        chosen = {name: asked[name] for name in ("category", "before", "after") if asked.get(name)}
        return redirect(f"{back}?{urlencode(chosen)}")
    context: dict[str, Any] = {
        "device": known, "key": _name(device), "pair": found, "compared": compared, "tabs_of": category,
        "lists": _lists(compared), "most": MOST_SHOWN,
    }  # fmt: skip
    if request.GET.get("part"):
        may_write = access.may(case, access.ANALYST) and case.is_open
        context |= {"case": case, "may_write": may_write, "in_device": True}
        return render(request, "liveresponse/_snapshots.html", context)
    return render_tab(request, case, "entities", "liveresponse/snapshots.html", context)


def _compared(
    case: Case, user: User, known: KnownDevice, asked: Mapping[str, Any]
) -> tuple[list[Tab], Pair | None, Compared | None]:
    snapshots = comparisons.snapshots_of(case, known)
    base = reverse("liveresponse:device_snapshots", args=[case.reference, known.title])
    tabs = [
        Tab(one.name, one.title, len(snapshots[one.name]), f"{base}?{urlencode({'category': one.name})}")
        for one in CATEGORIES
        if one.name in snapshots
    ]
    if not tabs:
        return [], None, None
    wanted = str(asked.get("category", ""))
    two = next((tab.name for tab in tabs if tab.snapshots > 1), tabs[0].name)
    name = wanted if wanted in BY_NAME and wanted in snapshots else two
    before, after = comparisons.parse_keys([str(asked.get("before", "")), str(asked.get("after", ""))])
    pair = comparisons.pair(snapshots, name, before, after)
    return tabs, pair, comparisons.compared(pair, known, user)


@dataclass(frozen=True)
class Line:
    """A difference as the page lists it."""

    one: Difference
    digest: str


def _lists(compared: Compared | None) -> list[tuple[str, str, int, list[Line]]]:
    if compared is None:
        return []
    parts = (("new", "New", compared.new), ("changed", "Changed", compared.changed), ("gone", "Gone", compared.gone))
    return [
        (name, title, len(found), [Line(one, comparisons.digest_of(one.thing)) for one in found[:MOST_SHOWN]])
        for name, title, found in parts
    ]


def _pin(request: HttpRequest, case: Case, user: User, found: Pair | None, compared: Compared | None) -> None:
    if found is None or compared is None:
        messages.error(request, "There are no two snapshots to compare.")
        return
    try:
        one = comparisons.difference(compared, request.POST.get("thing", ""))
        if request.POST.get("as") == "indicator":
            indicator, new = comparisons.pin_indicator(case=case, actor=user, found=found, one=one)
            said = f"{indicator.value[:120]} is {'now' if new else 'already'} an indicator of the case."
        else:
            said = f"“{comparisons.pin_event(case=case, actor=user, found=found, one=one).title}” is on the timeline."
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, said)
