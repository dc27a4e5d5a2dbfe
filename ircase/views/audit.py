"""The audit viewer: one list of what was done, for whoever may know of it."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.audit import AREAS, SOURCES, Audit, ChainState, Entry, Filters, chain_state
from ircase.forms.audit import AuditForm
from ircase.models import Case, CaseLook, LogEntry, User
from ircase.services import log
from ircase.services.transfer.exports import safe_cell
from ircase.services.vault import looks

PER_PAGE = 100
MOST_ROWS = 100_000
COLUMNS = ("at", "source", "who", "action", "case", "chain", "sequence", "detail", "digest", "intact")


@never_cache
@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    form = AuditForm(request.GET or None)
    filters = _filters(form)
    entries, following = Audit(user, filters).page(request.GET.get("after", "")[:200], PER_PAGE)
    asked = [(name, value) for name, value in request.GET.items() if name != "after" and value]
    context = {
        "form": form,
        "entries": entries,
        "following": following,
        "query": urlencode(asked),
        "asked": asked,
        "chains": _chains(user, filters),
        "areas": AREAS,
        "sources": SOURCES,
        "first": "after" not in request.GET,
    }
    return render(request, "administration/audit.html", context, status=422 if form.errors else 200)


def _filters(form: AuditForm) -> Filters:
    return Filters(**form.cleaned_data) if form.is_bound and form.is_valid() else Filters()


def _chains(user: User, filters: Filters) -> list[ChainState]:
    found = []
    if filters.case:
        case = Case.objects.visible_to(user).filter(reference=filters.case).first()
        if case is not None:
            found.append(chain_state(f"case:{case.uuid}", LogEntry.objects.filter(case=case)))
    elif user.administers:
        found.append(chain_state("site", LogEntry.objects.filter(chain="site")))
        found.append(chain_state(looks.CHAIN, CaseLook.objects.all()))
    return found


@require_POST
@login_required
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """What the filters leave, as CSV or JSON lines; that it was taken is logged before the first byte leaves."""
    user = access.current_user(request)
    form = AuditForm(request.POST)
    if not form.is_valid():
        return render(request, "administration/audit.html", {"form": form, "areas": AREAS}, status=422)
    filters, kind = _filters(form), "csv" if request.POST.get("format") == "csv" else "jsonl"
    asked = {name: str(value) for name, value in vars(filters).items() if value}
    log.record("audit.exported", actor=user, format=kind, filters=asked)
    entries = Audit(user, filters).everything(MOST_ROWS)
    body = _csv(entries) if kind == "csv" else _lines(entries)
    response = StreamingHttpResponse(body, content_type="text/csv" if kind == "csv" else "application/x-ndjson")
    name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _values(entry: Entry) -> dict[str, Any]:
    found = {name: getattr(entry, name) for name in COLUMNS}
    return found | {"at": entry.at.isoformat(), "detail": dict(entry.detail)}


def _lines(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield json.dumps(_values(entry), ensure_ascii=False, default=_text) + "\n"


def _csv(entries: Iterable[Entry]) -> Iterator[str]:
    yield _row(COLUMNS)
    for entry in entries:
        values = _values(entry)
        yield _row([_text(values[name]) for name in COLUMNS])


def _row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return value.isoformat() if isinstance(value, datetime) else str(value)
