"""The site's hooks, and what is on its way outside or could not get there."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Delivery, Hook
from ircase.services.telling import deliveries
from ircase.views import hookpages
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only

PER_PAGE = 50


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    found = deliveries.listed(access.current_user(request), state)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "hooks": Hook.objects.filter(case=None),
        "page": page,
        "state": state if state in Delivery.State.values else "",
        "states": Delivery.State.choices,
        "dead": Delivery.objects.filter(state=Delivery.State.DEAD).count(),
        "mail": deliveries.mail_words(),
    }
    return render(request, "administration/notifications.html", context)


@require_POST
@administrators_only
def again(request: HttpRequest, uuid: UUID) -> HttpResponse:
    found = get_object_or_404(Delivery, uuid=uuid)
    actor = access.current_user(request)
    attempt(request, "It is tried again.", lambda: deliveries.again(delivery=found, actor=actor))
    return redirect("ircase:hooks")


@require_http_methods(["GET", "POST"])
@administrators_only
def new(request: HttpRequest) -> HttpResponse:
    return hookpages.edit(request, Hook(), access.current_user(request))


@require_http_methods(["GET", "POST"])
@administrators_only
def hook(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return hookpages.edit(request, _of_site(uuid), access.current_user(request))


@require_POST
@administrators_only
def secret(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return hookpages.renew(request, _of_site(uuid), access.current_user(request))


@require_POST
@administrators_only
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    hookpages.remove(request, _of_site(uuid), access.current_user(request))
    return redirect("ircase:hooks")


def _of_site(uuid: UUID) -> Hook:
    return get_object_or_404(Hook, case=None, uuid=uuid)
