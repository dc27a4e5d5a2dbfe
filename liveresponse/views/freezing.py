"""The kill switch: one page, one button."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.models import Connection, User
from ircase.views.doors import attempt
from liveresponse.models import Freeze
from liveresponse.services import freezing

PAST = 50


@login_required
@require_http_methods(["GET", "POST"])
def freeze(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    if request.method == "POST":
        return _freeze(request, user)
    may = freezing.may_freeze(user)
    standing = freezing.standing()
    held = {one.connection_id for one in standing}
    context = {
        "standing": standing,
        "site_is_frozen": None in held,
        "may_freeze": may,
        # Names of tenants are for those who may act on them.
        "connections": [one for one in Connection.objects.filter(enabled=True) if one.pk not in held] if may else [],
        "past": Freeze.objects.exclude(thawed_at=None).select_related("connection", "frozen_by", "thawed_by")[:PAST]
        if may
        else [],
    }
    return render(request, "liveresponse/freeze.html", context)


def _freeze(request: HttpRequest, user: User) -> HttpResponse:
    if not freezing.may_freeze(user):
        raise PermissionDenied("Only a lead of a case or an administrator can freeze.")
    given = request.POST.get("connection", "")
    connection = get_object_or_404(Connection, pk=int(given)) if given.isdigit() else None
    reason = request.POST.get("reason", "")[:1000]
    done = "Frozen. Nothing goes out until it is thawed."
    attempt(request, done, lambda: freezing.freeze(actor=user, connection=connection, reason=reason))
    return redirect("liveresponse:freeze")


@login_required
@require_POST
def thaw(request: HttpRequest, pk: int) -> HttpResponse:
    user = access.current_user(request)
    if not freezing.may_freeze(user):
        raise PermissionDenied("Only an administrator, or two leads together, can thaw.")
    row = get_object_or_404(Freeze, pk=pk)
    reason = request.POST.get("reason", "")[:1000]
    try:
        thawed = freezing.thaw(frozen=row, actor=user, reason=reason)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        done, more = "Thawed: what waited goes on.", "Noted. A second lead, or an administrator, has to agree."
        messages.success(request, done if thawed else more)
    return redirect("liveresponse:freeze")
