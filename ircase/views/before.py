"""What a case was before it was imported: its log, approvals, runs and whatever stays a record, to be read only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from ircase import access
from ircase.models import Activity, Case, RecordBefore
from ircase.pages import render_tab
from ircase.services.analysis.findings import clean

PER_PAGE = 50
ASIDE = "aside"


@require_GET
@login_required
def before(request: HttpRequest, reference: str) -> HttpResponse:
    """The records of one area, `?area=`; what could not become part of the case under the area "aside"."""
    case = access.get_case(access.current_user(request), reference)
    counted = _counted(case)
    areas, aside = {area: count for area, count, *_ in counted}, sum(row[2] for row in counted)
    chosen = clean(request.GET.get("area", ""))[:40]
    if chosen not in areas and chosen != ASIDE:
        chosen = ASIDE if aside else "log" if "log" in areas else next(iter(areas), "")
    rows = RecordBefore.objects.filter(case=case)
    pages = Paginator(rows.exclude(reason="") if chosen == ASIDE else rows.filter(area=chosen), PER_PAGE)
    pages.count = aside if chosen == ASIDE else areas.get(chosen, 0)  # counted already
    context = {
        "origin": counted[0][3:] if counted else (),
        "areas": areas.items(),
        "aside": aside,
        "aside_name": ASIDE,
        "chosen": chosen,
        "page": pages.get_page(request.GET.get("page")),
    }
    return render_tab(request, case, "log", "case/before.html", context)


def _counted(case: Case) -> list[tuple[str, int, int, str, datetime]]:
    """Each area, how many records it has, how many of them could not be taken over; and what the case was called there
    and when it came. One query."""
    counted = RecordBefore.objects.filter(case=case).order_by("area").values("area")
    aside = Count("pk", filter=~Q(reason=""))
    return list(
        counted.annotate(all=Count("pk"), aside=aside).values_list(
            "area", "all", "aside", "case__brought_in__reference", "case__brought_in__finished_at"
        )
    )


@require_GET
@login_required
def item(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One thing that was done before import, with every record of it."""
    case = access.get_case(access.current_user(request), reference)
    rows = list(RecordBefore.objects.filter(case=case, key=uuid)[:PER_PAGE])
    found = Activity.objects.filter(case=case, subject=uuid, url_name="ircase:before_item")
    activity = found.select_related("requested_by").first()
    if activity is None and not rows:
        raise Http404
    context: dict[str, Any] = {
        "activity": activity,
        "exhibits": list(activity.evidence.all()) if activity else [],
        "rows": rows,
    }
    return render_tab(request, case, "log", "case/before_item.html", context)
