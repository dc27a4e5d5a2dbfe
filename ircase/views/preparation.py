"""What the organisation prepares before any incident, as administrators keep it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.administration import NewPreparationForm, PreparationForm
from ircase.models import PreparationItem
from ircase.sentences import sentence_of
from ircase.services.analysis.findings import clean
from ircase.services.phases import preparation
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only

HISTORY = 50


@require_http_methods(["GET", "POST"])
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    """Everything on the list, in its own order; by POST an item more."""
    form = NewPreparationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        item = preparation.add(actor=access.current_user(request), **form.cleaned_data)
        messages.success(request, "The item is on the list.")
        return redirect("ircase:preparation_item", item.pk)
    now = timezone.now()
    rows = [(item, item.standing(now)) for item in PreparationItem.objects.select_related("owner")]
    standing = [state for _, state in rows]
    context = {"rows": rows, "done": standing.count("done"), "expired": standing.count("expired"), "form": form}
    return render(request, "administration/preparation.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """One item: what it is, who sees to it until when, whether it is done; its history; moved or taken off the list."""
    found = get_object_or_404(PreparationItem.objects.select_related("owner"), pk=pk)
    if request.method == "POST" and request.POST.get("act") in ("up", "down", "remove"):
        return _act(request, found)
    names = ("title", "csf_outcome", "due_at", "done_at", "review_days", "result")
    now = {"owner": found.owner_id, **{name: getattr(found, name) for name in names}}
    form = PreparationForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            preparation.plan(item=found, actor=access.current_user(request), **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The item is saved. Cases that are opened from now on show it so.")
            return redirect("ircase:preparation")
    entries = [sentence_of(entry) for entry in preparation.history(found)[:HISTORY]]
    context = {"item": found, "form": form, "entries": entries, "standing": found.standing(timezone.now())}
    return render(request, "administration/preparation_item.html", context, status=422 if form.errors else 200)


def _act(request: HttpRequest, item: PreparationItem) -> HttpResponse:
    user, act = access.current_user(request), request.POST["act"]
    if act == "remove":
        reason = clean(request.POST.get("reason", ""))
        said = "It is off the list; the site log keeps what it said."
        if not attempt(request, said, lambda: preparation.remove(item=item, actor=user, reason=reason)):
            return redirect("ircase:preparation_item", item.pk)
    else:
        preparation.move(item=item, actor=user, by=-1 if act == "up" else 1)
    return redirect("ircase:preparation")
