"""File analyses: read from an exhibit or from pasted text, and what they name taken into the case."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.models import Case, Evidence, Indicator, Tlp
from ircase.pages import render_tab
from ircase.services.vault import previews
from ircase.views.doors import case_to_change
from liveresponse.forms.files import AnalysisForm, TakeEntitiesForm
from liveresponse.models import FileAnalysis
from liveresponse.services import analyses
from liveresponse.services.defanging import defanged
from liveresponse.views import files

PER_PAGE = 200


def _analysis(case: Case, uuid: UUID) -> FileAnalysis:
    rows = FileAnalysis.objects.for_case(case).select_related("case", "evidence", "activity", "requested_by")
    return get_object_or_404(rows, uuid=uuid)


@login_required
@require_POST
def analysis_new(request: HttpRequest, reference: str) -> HttpResponse:
    """Read pasted text, which becomes an exhibit first, or an exhibit there is (`evidence`)."""
    user, case = case_to_change(request, reference)
    if request.POST.get("evidence"):
        item = Evidence.objects.filter(case=case, uuid=access.parse_uuid(request.POST["evidence"])).first()
        if item is None:
            raise Http404("No such exhibit.")
        row = analyses.queue(evidence=item, actor=user)
        return redirect("liveresponse:analysis", case.reference, row.uuid)
    form = AnalysisForm(request.POST)
    if form.is_valid():
        try:
            row = analyses.seal_text(case=case, actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error("text", error)
        else:
            return redirect("liveresponse:analysis", case.reference, row.uuid)
    return files.page(request, case, analysis_form=form)


@login_required
@require_GET
def analysis(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One analysis: its scans, and page by page what it names."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    row = _analysis(case, uuid)
    if row.document:
        previews.note(row.evidence, actor=user, what="file analysis")
    context = _context(request, row)
    if request.GET.get("part"):
        may_write = access.may(case, access.ANALYST) and case.is_open
        return render(request, "liveresponse/_analysis.html", {"case": case, "may_write": may_write, **context})
    return render_tab(request, case, "entities", "liveresponse/analysis.html", context)


def _context(request: HttpRequest, row: FileAnalysis) -> dict[str, object]:
    found = analyses.entities_of(row)
    sections = list(dict.fromkeys(one.section for one in found))
    wanted = request.GET.get("section", "")
    lines = [(number, one) for number, one in enumerate(found) if wanted in ("", one.section)]
    page = Paginator(lines, PER_PAGE).get_page(request.GET.get("page"))
    named = {number: analyses.indicator_of(one) for number, one in page.object_list}
    had = analyses.known_already(row, named.values())
    rows = [
        {
            "number": number, "entity": one, "shown": defanged(*named[number]),
            "kind": Indicator.Kind(named[number][0]).label, "known": had.get(analyses.folded(*named[number])),
        }
        for number, one in page.object_list
    ]  # fmt: skip
    counts = [(name, sum(one.section == name for one in found)) for name in sections]
    return {
        "row": row, "document": row.document, "page": page, "lines": rows, "sections": counts, "section": wanted,
        "tlps": Tlp.choices, "verdicts": Indicator.Verdict.choices, "total": len(found),
    }  # fmt: skip


@login_required
@require_POST
def analysis_take(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """The ticked lines as indicators."""
    user, case = case_to_change(request, reference)
    row = _analysis(case, uuid)
    form = TakeEntitiesForm(request.POST, count=len(row.document.get("entities", ())))
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for found in form.errors.values() for text in found))
    else:
        data = form.cleaned_data
        try:
            taken = analyses.take(row=row, actor=user, numbers=data["number"], tlp=data["tlp"], verdict=data["verdict"])
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, taken.sentence)
            for refused in taken.refused[:10]:
                messages.warning(request, refused)
    return redirect("liveresponse:analysis", case.reference, row.uuid)
