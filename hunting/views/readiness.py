"""Having a connection's tables asked for rows, from its readiness page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from hunting.services import tablechecks
from ircase import access
from ircase.readiness import rights
from ircase.views.doors import attempt


@require_POST
@login_required
def tables(request: HttpRequest, pk: int) -> HttpResponse:
    user = access.current_user(request)
    found = rights.get_connection(user, pk)
    said = "A worker asks the tables, one by one and within the quota. Look again in some minutes."
    attempt(request, said, lambda: tablechecks.ask(connection=found, actor=user))
    return redirect("ircase:readiness_part", found.pk, "tables")
