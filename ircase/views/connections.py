"""Connections to tenants: written by administrators, checked by a worker."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.administration import ConnectionForm
from ircase.models import Connection
from ircase.services import connections, preflights
from ircase.views.fresh import recently
from ircase.views.guard import administrators_only


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "administration/connections.html", {"connections": Connection.objects.all()})


@require_http_methods(["GET", "POST"])
@administrators_only
@recently()
def new(request: HttpRequest) -> HttpResponse:
    return _edit(request, Connection())


@require_http_methods(["GET", "POST"])
@administrators_only
@recently()
def connection(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Connection, pk=pk))


def _edit(request: HttpRequest, found: Connection) -> HttpResponse:
    form = ConnectionForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        kept = connections.save_connection(
            connection=form.save(commit=False),
            actor=access.current_user(request),
            secret=form.cleaned_data["secret"],
        )
        messages.success(request, f"{kept.name} is saved. A worker checks now what it can do.")
        return redirect("ircase:connection_preflight", kept.pk)
    saved = Connection.objects.filter(pk=found.pk).first() if found.pk else None
    context = {"form": form, "saved": saved}
    return render(request, "administration/connection.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
def preflight(request: HttpRequest, pk: int) -> HttpResponse:
    """What the connection can do; a POST asks a worker to check again."""
    found = get_object_or_404(Connection, pk=pk)
    if request.method == "POST":
        preflights.ask(connection=found, actor=access.current_user(request))
        return redirect("ircase:connection_preflight", pk)
    template = "_preflight.html" if request.headers.get("HX-Request") else "preflight.html"
    return render(request, f"administration/{template}", {"connection": found, "report": found.preflight})
