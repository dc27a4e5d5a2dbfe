"""Sweeps: queued from the tab, and what each found, entity by entity."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from hunting import shelf
from hunting.forms.running import SweepForm
from hunting.models import Sweep
from hunting.services import runs, sweeps
from hunting.views.panel import render_panel
from ircase import access
from ircase.pages import render_tab
from ircase.views.doors import case_to_change

PER_PAGE = 200


@require_POST
@login_required
def sweep_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = SweepForm(request.POST, sources=runs.sources_of(case))
    if not form.is_valid():
        return render_panel(request, case, status=422, sweep=form)
    hunt = shelf.hunt(form.cleaned_data["hunt"])
    if hunt is None:
        raise Http404("No such hunt.")
    try:
        sweep = sweeps.queue_sweep(
            case=case,
            actor=user,
            hunt=hunt,
            source=form.wanted_source,
            values=form.values_given,
            given=form.given(hunt),
        )
    except ValidationError as error:
        form.take_errors(error)
        return render_panel(request, case, status=422, sweep=form)
    number = sweep.runs.count()
    messages.success(request, f"Queued: {len(sweep.entities):,} in {number:,} quer{'y' if number == 1 else 'ies'}.")
    return redirect("hunting:sweep", reference, sweep.uuid)


@require_GET
@login_required
def sweep(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Each entity with its rows; those with the most first."""
    case = access.get_case(access.current_user(request), reference)
    found = get_object_or_404(Sweep.objects.select_related("requested_by"), case=case, uuid=uuid)
    shares = sorted(sweeps.share(found), key=lambda one: (-one.rows, one.entity))
    context = {
        "sweep": found,
        "hunt": shelf.hunt(found.hunt_id),
        "runs": list(found.runs.order_by("pk")[:50]),
        "run_count": found.runs.count(),
        "with_rows": sum(one.rows > 0 for one in shares),
        "page": Paginator(shares, PER_PAGE).get_page(request.GET.get("page")),
    }
    return render_tab(request, case, "hunts", "hunting/sweep.html", context)
