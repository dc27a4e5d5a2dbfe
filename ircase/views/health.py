"""What load balancers and watch dogs ask. Neither needs a session; neither says more than which part is lacking."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ircase.services import health


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The web process is up."""
    return JsonResponse({"status": "up"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, Redis and a live worker are there; 503 and what is lacking otherwise."""
    parts = health.essentials()
    lacking = [part.name for part in parts if part.is_down]
    body = {
        "status": "not ready" if lacking else "ready",
        "lacking": lacking,
        "parts": {part.name: part.state for part in parts},
    }
    return JsonResponse(body, status=503 if lacking else 200)
