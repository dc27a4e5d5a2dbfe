"""Moving a case to another phase: what holds the gate is shown before, and passed only with a reason."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.cases import MovePhaseForm
from ircase.models import Case, Phase, User
from ircase.pages import render_tab
from ircase.services import cases
from ircase.services.analysis.findings import clean
from ircase.services.phases import gate
from ircase.views.doors import case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def case_phase(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference, access.LEAD)
    form = MovePhaseForm(request.POST or None, initial={"phase": request.GET.get("to") or _next(case)})
    if request.method == "POST" and form.is_valid() and _move(case, user, form):
        messages.success(request, f"The case is in {Phase(form.cleaned_data['phase']).label}.")
        return redirect("ircase:case", case.reference)
    ways = [(Phase(phase), held) for phase, held in gate.held_in_each(case).items()]
    context = {"form": form, "ways": ways, "held": any(held for _, held in ways)}
    return render_tab(request, case, "overview", "case/phase.html", context, status=422 if form.errors else 200)


def _next(case: Case) -> str:
    place = Phase.values.index(case.phase)
    return Phase.values[min(place + 1, len(Phase.values) - 1)]


def _move(case: Case, user: User, form: MovePhaseForm) -> bool:
    """Whether it moved; the form says why not."""
    said = {name: clean(form.cleaned_data[name]) for name in ("reason", "despite")}
    try:
        cases.move_phase(case=case, actor=user, phase=form.cleaned_data["phase"], **said)
    except ValidationError as error:
        form.add_error("despite" if getattr(error, "code", "") == "gate" else "phase", error.messages)
        return False
    return True
