"""The incidents of a case: what came with each, its newer version, and taking one out again."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.forms.intake import UnmergeForm
from ircase.intake import held
from ircase.models import Case, CaseIncident, User
from ircase.pages import render_tab
from ircase.services.incidents import merging
from ircase.store import StoreError
from ircase.views.doors import case_to_change
from ircase.wording import counted

STAYS_SAID = 10


@require_GET
@login_required
def case_incidents(request: HttpRequest, reference: str) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference)
    rows, word = held.rows_of(case)
    context = {"rows": rows, "word": word, "may_tell": access.may(case, access.ANALYST)}
    return render_tab(request, case, "overview", "case/incidents.html", context)


@require_POST
@login_required
def case_incident(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Take over what is new in an incident, or take it out of the case."""
    user, case = case_to_change(request, reference)
    link = get_object_or_404(CaseIncident.objects.filter(case=case).select_related("incoming", "evidence"), uuid=uuid)
    if request.POST.get("action") == "unmerge":
        _unmerge(request, user, link)
    else:
        _update(request, user, case, link)
    return redirect("ircase:case_incidents", case.reference)


def _unmerge(request: HttpRequest, user: User, link: CaseIncident) -> None:
    form = UnmergeForm(request.POST)
    try:
        taken = merging.unmerge(link=link, actor=user, reason=request.POST.get("reason", "") if form.is_valid() else "")
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return
    messages.success(request, f"Incident {link.number} is out of the case; {counted(taken.left, 'row')} left with it.")
    if taken.stayed:
        said = "; ".join(f"{one.row} ({one.why})" for one in taken.stayed[:STAYS_SAID])
        more = len(taken.stayed) - STAYS_SAID
        messages.warning(request, f"What stays: {said}{f'; and {more} more, in the log' if more > 0 else ''}.")


def _update(request: HttpRequest, user: User, case: Case, link: CaseIncident) -> None:
    if link.incoming is None or link.removed_at is not None:
        messages.error(request, "The incident is no longer known here.")
        return
    try:
        new = merging.merge(case=case, incident=link.incoming, actor=user)
    except (ValidationError, StoreError) as error:
        messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
        return
    came = len(new.brought) - len(link.brought)
    messages.success(request, f"The newest version is sealed; {counted(came, 'new row')} came with it.")
