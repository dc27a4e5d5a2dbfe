"""What the organisation prepares before any incident, as administrators keep it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.administration import PreparationForm
from ircase.models import PreparationItem
from ircase.services import preparation
from ircase.views.guard import administrators_only


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    """Everything on the list, in its own order."""
    items = list(PreparationItem.objects.select_related("owner"))
    context = {"items": items, "done": sum(item.done_at is not None for item in items)}
    return render(request, "administration/preparation.html", context)


@require_http_methods(["GET", "POST"])
@administrators_only
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """Who sees to one item, until when, and whether it is done."""
    found = get_object_or_404(PreparationItem, pk=pk)
    now = {"owner": found.owner_id, "due_at": found.due_at, "done_at": found.done_at, "result": found.result}
    form = PreparationForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        preparation.plan(item=found, actor=access.current_user(request), **form.cleaned_data)
        messages.success(request, "The item is saved. Cases that are opened from now on show it so.")
        return redirect("ircase:preparation")
    context = {"item": found, "form": form}
    return render(request, "administration/preparation_item.html", context, status=422 if form.errors else 200)
