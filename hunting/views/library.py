"""The library: what can be asked, what a hit means."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from hunting import catalogue
from hunting.views.panel import ENTITY_TITLES
from ircase import access, attack
from ircase.models import Case, CaseRole, User


@require_GET
@login_required
def library(request: HttpRequest) -> HttpResponse:
    chosen = {name: request.GET.get(name, "")[:100].strip() for name in ("q", "entity", "technique")}
    used = sorted({t for hunt in catalogue.hunts().values() for t in hunt.techniques})
    context = {
        "hunts": catalogue.search(chosen["q"], chosen["entity"], chosen["technique"].upper()),
        "packs": catalogue.packs().values(),
        "chosen": chosen,
        "filtered": any(chosen.values()),
        "entities": list(ENTITY_TITLES.items()),
        "techniques": [attack.techniques().get(t, t) for t in used],
        "total": len(catalogue.hunts()),
    }
    return render(request, "hunting/library.html", context)


@require_GET
@login_required
def hunt(request: HttpRequest, hunt_id: str) -> HttpResponse:
    found = catalogue.hunts().get(hunt_id)
    if found is None:
        raise Http404("No such hunt.")
    context = {
        "hunt": found,
        "entity_title": ENTITY_TITLES[found.entity],
        "techniques": [attack.techniques().get(t, t) for t in found.techniques],
        "packs": [pack for pack in catalogue.packs().values() if found in pack.hunts],
        "cases": _cases(access.current_user(request)),
    }
    return render(request, "hunting/hunt.html", context)


def _cases(user: User) -> list[Case]:
    """Open cases this person may hunt in, for the button that takes the hunt there."""
    roles = (CaseRole.ANALYST, CaseRole.LEAD)
    mine = Case.objects.visible_to(user).filter(closed_at=None, members__user=user, members__role__in=roles)
    return list(mine.order_by("-opened_at")[:20])
