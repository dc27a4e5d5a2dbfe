"""News for the person: the bell on every page, and the list of all of it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.forms.notices import NoticeFilterForm
from ircase.models import Notice, User
from ircase.services import notices

PER_PAGE = 50
IN_THE_BELL = 8


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All of theirs on cases that they may see now, the newest first."""
    user = access.current_user(request)
    form = NoticeFilterForm(request.GET)
    found = notices.find(user, **form.chosen())
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    asked = urlencode({key: value for key, value in request.GET.items() if key in form.fields and value})
    context = {"page": page, "form": form, "asked": asked, "unread": Notice.objects.of(user).unread().count()}
    return render(request, "notices/index.html", context)


@require_GET
@login_required
def bell(request: HttpRequest) -> HttpResponse:
    """How many are unread, and the newest of them. Asked again and again; changes nothing."""
    return render(request, "notices/_bell.html", bell_of(access.current_user(request)))


def bell_of(user: User) -> dict[str, Any]:
    unread = Notice.objects.of(user).unread()
    found = list(unread[: IN_THE_BELL + 1])
    many = len(found) if len(found) <= IN_THE_BELL else unread.count()
    return {"bell": {"unread": many, "newest": found[:IN_THE_BELL], "loaded": True}}


@require_POST
@login_required
def notice(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Read one and go to what it is about; or only mark it, and back."""
    user = access.current_user(request)
    found: Notice = get_object_or_404(Notice.objects.of(user), uuid=uuid)
    act = request.POST.get("act", "")
    if act == "unread":
        notices.mark_unread(person=user, notice=found)
    else:
        notices.mark_read(person=user, notice=found)
    return _back(request) if act in ("done", "unread") else redirect(found.path)


@require_POST
@login_required
def read(request: HttpRequest) -> HttpResponse:
    """All of them are read."""
    notices.mark_read(person=access.current_user(request))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    place = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(place, allowed_hosts=None, require_https=False)
    return HttpResponseRedirect(place if place.startswith("/") and ours else reverse("ircase:my_work"))
