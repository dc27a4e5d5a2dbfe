"""What a source holds, as it was read from it, and the button that has it read again."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from hunting.models import Source
from hunting.services import schemas, sourcetables
from ircase import access
from ircase.models import Case
from ircase.pages import render_tab
from ircase.views.doors import case_to_change

PER_PAGE = 100


@require_http_methods(["GET", "POST"])
@login_required
def source_tables(request: HttpRequest, reference: str, source: str) -> HttpResponse:
    """Its tables with their columns; a POST asks a worker to read them again."""
    wanted = Source(source) if source in Source.values else None
    if request.method == "POST":
        return _refresh(request, reference, wanted)
    case = access.get_case(access.current_user(request), reference)
    if wanted is None:
        raise Http404("No such source.")
    return _show(request, case, wanted)


def _refresh(request: HttpRequest, reference: str, source: Source | None) -> HttpResponse:
    user, case = case_to_change(request, reference)
    if source is None:
        raise Http404("No such source.")
    try:
        schemas.refresh(case=case, actor=user, source=source)
        messages.success(request, "A worker reads the schema now. Load this page again in a moment.")
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("hunting:source_tables", reference, source.value)


def _show(request: HttpRequest, case: Case, source: Source) -> HttpResponse:
    found = sourcetables.seen(case, source)
    tables = found.named(request.GET.get("q", "")[:200])
    context = {
        "source": source,
        "others": [one for one in Source if one != Source.KUSTO_CASE],
        "readings": schemas.of(case.connection, source),
        "is_readable": schemas.is_readable(source) and case.connection is not None,
        "complete": found.complete,
        "total": len(found.tables),
        "q": request.GET.get("q", "")[:200],
        "page": Paginator(tables, PER_PAGE).get_page(request.GET.get("page")),
    }
    return render_tab(request, case, "hunts", "hunting/source_tables.html", context)
