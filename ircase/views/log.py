"""The case's log: who did what, when, in order, each entry chained to the one before."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from ircase import access
from ircase.models import CaseImport, LogEntry
from ircase.pages import render_tab
from ircase.sentences import sentences
from ircase.services.analysis.findings import clean

PER_PAGE = 100
# The first word of a code, and what it is called in the filter.
AREAS = {
    "case": "Case",
    "checklist": "Checklist",
    "hunt": "Hunts",
    "collection": "Collections",
    "action": "Response actions",
    "approval": "Approvals",
    "evidence": "Evidence",
    "import": "Imports",
    "asset": "Assets",
    "indicator": "Indicators",
    "event": "Timeline",
    "note": "Notes",
    "comment": "Comments",
    "report": "Reports",
    "incident": "Incident",
}


@require_GET
@login_required
def log(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    chosen = {name: clean(request.GET.get(name, ""))[:200].strip() for name in ("area", "actor")}
    found = LogEntry.objects.filter(case=case).order_by("-sequence")
    if chosen["area"] in AREAS:
        found = found.filter(action__startswith=f"{chosen['area']}.")
    if chosen["actor"]:
        found = found.filter(actor_name=chosen["actor"])
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    actors = LogEntry.objects.filter(case=case).order_by("actor_name").values_list("actor_name", flat=True).distinct()
    context = {
        "page": page,
        "entries": sentences(case, page.object_list),
        "areas": AREAS.items(),
        "actors": actors,
        "chosen": chosen,
        "filtered": any(chosen.values()),
        "brought_in": CaseImport.objects.filter(case=case).exists(),
    }
    return render_tab(request, case, "log", "case/log.html", context)
