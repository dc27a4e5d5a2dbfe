"""Administration: is IRCase well, and what happened on the site."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ircase.models import Connection, LogEntry, User
from ircase.services import health as checks
from ircase.views.guard import administrators_only

PER_PAGE = 100


@require_GET
@administrators_only
def overview(request: HttpRequest) -> HttpResponse:
    """How IRCase is, and the ways on."""
    context = {
        "parts": checks.everything(),
        "people": User.objects.filter(is_active=True).count(),
        "connections": Connection.objects.count(),
    }
    return render(request, "administration/overview.html", context)


@require_GET
@administrators_only
def health(request: HttpRequest) -> HttpResponse:
    """The same figures alone, for the page to refresh itself."""
    return render(request, "administration/_health.html", {"parts": checks.everything()})


@require_GET
@administrators_only
def site_log(request: HttpRequest) -> HttpResponse:
    """What belongs to no case: people, connections, tokens."""
    action, actor = request.GET.get("action", ""), request.GET.get("actor", "")
    found = LogEntry.objects.filter(chain="site")
    if action:
        found = found.filter(action__icontains=action)
    if actor:
        found = found.filter(actor_name__icontains=actor)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "administration/log.html", {"page": page, "action": action, "actor": actor})
