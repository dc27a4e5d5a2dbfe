"""What the KQL editor asks for while a person writes: a schema, a check, one typed value as a literal."""

import hashlib

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_GET, require_POST

import kql
from hunting.access import require_save
from hunting.binding import MAX_KQL
from hunting.models import Cell, Source
from hunting.services.notebooks.naming import tables_above
from hunting.values import ParameterError, parse_type
from hunting.views import editing
from ircase import access
from ircase.models import Case
from ircase.views.doors import case_to_change


@require_GET
@login_required
def schema(request: HttpRequest, reference: str) -> HttpResponse:
    """`?source=`: its tables and hunts; `?cell=`: with the results that a notebook's cell sees above it.
    The browser keeps the answer and asks by its ETag whether it still holds."""
    return _schema(request, access.get_case(access.current_user(request), reference))


@require_GET
@login_required
def library_schema(request: HttpRequest) -> HttpResponse:
    """The same for a hunt of the library, which is written for every case."""
    return _schema(request, None)


def _schema(request: HttpRequest, case: Case | None) -> HttpResponse:
    source = _source(request.GET.get("source", ""))
    if source is None:
        return JsonResponse({"error": "No such source."}, status=400)
    named = _named(case, request) if case is not None else ()
    response = JsonResponse(editing.schema(case, source, named), json_dumps_params={"separators": (",", ":")})
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return get_conditional_response(request, etag=etag, response=response) or response


@require_POST
@login_required
def check(request: HttpRequest, reference: str) -> HttpResponse:
    """`kql`, `source`, and `?cell=` as above: what the local engine cannot run, and the constants that may be given as
    typed values."""
    _, case = case_to_change(request, reference)
    source, text = _source(request.POST.get("source", "")), _text(request)
    if source is None or text is None:
        return _refused()
    found = {
        "findings": editing.findings(case, source, text, _named(case, request)),
        "constants": editing.constants(case, text),
    }
    return _fresh(JsonResponse(found))


@require_POST
@login_required
def library_check(request: HttpRequest) -> HttpResponse:
    """`kql`: whether it can be read. What a hunt's parameters and tables mean is judged when it is saved; its
    constants are offered as parameters there."""
    require_save(access.current_user(request))
    text = _text(request)
    if text is None:
        return _refused()
    return _fresh(JsonResponse({"findings": editing.unreadable(text), "constants": []}))


def _text(request: HttpRequest) -> str | None:
    text: str = request.POST.get("kql", "")
    return None if len(text) > MAX_KQL or "\x00" in text else text


def _refused() -> HttpResponse:
    return JsonResponse({"error": f"A query is text of at most {MAX_KQL:,} characters."}, status=422)


@require_POST
@login_required
def library_value(request: HttpRequest) -> HttpResponse:
    """As `value`, for a hunt of the library."""
    require_save(access.current_user(request))
    return _value(request)


@require_POST
@login_required
def value(request: HttpRequest, reference: str) -> HttpResponse:
    """`kind`, `value`: the KQL literal, in the type's one spelling; 422 with what is expected."""
    case_to_change(request, reference)
    return _value(request)


def _value(request: HttpRequest) -> HttpResponse:
    try:
        written = editing.written(parse_type(request.POST.get("kind", "")), request.POST.get("value", ""))
    except ParameterError as error:
        return JsonResponse({"error": str(error)}, status=422)
    return _fresh(JsonResponse({"literal": written}))


def _named(case: Case, request: HttpRequest) -> tuple[kql.Table, ...]:
    """The results by name above the notebook's cell in the address; none where there is no such cell."""
    asked = request.GET.get("cell", "")
    cell = Cell.objects.filter(notebook__case=case, uuid=access.parse_uuid(asked)).first() if asked else None
    return tables_above(cell) if cell is not None else ()


def _source(text: str) -> Source | None:
    return Source(text) if text in Source.values else None


def _fresh(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
