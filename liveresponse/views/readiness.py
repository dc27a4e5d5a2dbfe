"""Trying Live Response on the test device, from a connection's readiness page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ircase import access
from ircase.readiness import rights
from ircase.views.doors import attempt
from liveresponse.services import probes


@require_POST
@login_required
def try_it(request: HttpRequest, pk: int) -> HttpResponse:
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    said = "It is tried now, as a collection of the readiness case. A script waits for its approval there."
    attempt(request, said, lambda: probes.start(connection=found, actor=user))
    return redirect("ircase:readiness_connection", found.pk)
