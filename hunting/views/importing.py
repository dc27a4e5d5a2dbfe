"""Bringing hunts in: handing a source over, choosing from the preview, and what became of it."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting import access, shelf
from hunting.forms.library import ImportForm, ImportPathForm
from hunting.models import HuntImport, ImportItem
from hunting.services import importing
from hunting.views.library import compared
from ircase.access import current_user, require_administrator
from ircase.models import User
from ircase.services.transfer import uploads
from ircase.services.transfer.exports import safe_cell
from ircase.textdiff import side_by_side

PER_PAGE: Final = 50
IMPORTS_PER_PAGE: Final = 20
_LABELS: Final = {
    "": "All",
    "open": "Can be kept",
    "version": "New versions",
    "changed": "Changed",
    "duplicate": "Duplicates",
    "refused": "Refused",
}
SHOWS: Final = {name: (label, importing.PARTS[name]) for name, label in _LABELS.items()}


def _reviewer(request: HttpRequest) -> User:
    user = current_user(request)
    access.require_review(user)
    return user


def _import_of(request: HttpRequest, uuid: UUID) -> tuple[User, HuntImport]:
    user = _reviewer(request)
    return user, get_object_or_404(HuntImport.objects.select_related("requested_by", "kept_by"), uuid=uuid)


# --- handing over


@csrf_exempt  # `_upload` checks it, after the handler that takes the files is in place
@login_required
@require_http_methods(["GET", "POST"])
def import_list(request: HttpRequest) -> HttpResponse:
    """What was brought in before, and the form for more."""
    user = _reviewer(request)
    if request.method == "GET":
        return _list(request, user)
    try:
        files = uploads.receive(request)
    except (ValidationError, RequestDataTooBig) as error:
        return _list(request, user, ImportForm(), "; ".join(getattr(error, "messages", [str(error)])))
    response: HttpResponse = _upload(request, user, files)
    return response


@csrf_protect
def _upload(request: HttpRequest, user: User, files: list[uploads.Upload]) -> HttpResponse:
    form = ImportForm(request.POST)
    licence = form.cleaned_data["licence"] if form.is_valid() else ""
    try:
        made = importing.queue_upload(actor=user, files=files, licence=licence)
    except ValidationError as error:
        return _list(request, user, form, " ".join(error.messages))
    finally:
        for file in files:
            file.close()
    if len(made) == 1:
        return redirect("hunting:imported", made[0].uuid)
    messages.success(request, f"{len(made)} imports are queued: each zip is one, the other files are one together.")
    return redirect("hunting:import_list")


@require_POST
@login_required
def import_path(request: HttpRequest) -> HttpResponse:
    """A folder of the server, for administrators."""
    user = current_user(request)
    require_administrator(user)
    form = ImportPathForm(request.POST)
    if not form.is_valid():
        return _list(request, user, path_form=form, status=422)
    try:
        made = importing.queue_path(actor=user, **form.cleaned_data)
    except ValidationError as error:
        form.add_error("path", error.messages[0])
        return _list(request, user, path_form=form, status=422)
    return redirect("hunting:imported", made.uuid)


def _list(
    request: HttpRequest,
    user: User,
    form: ImportForm | None = None,
    problem: str = "",
    *,
    path_form: ImportPathForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "page": Paginator(HuntImport.objects.with_counts(), IMPORTS_PER_PAGE).get_page(request.GET.get("page")),
        "form": form or ImportForm(),
        "path_form": path_form or ImportPathForm(),
        "roots": importing.roots() if user.administers else [],
        "problem": problem,
    }
    return render(request, "hunting/imports.html", context, status=422 if problem else status)


# --- the preview


@require_GET
@login_required
def imported(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """How far it is; then what was found. With htmx only its own part, which asks for itself while it is at work."""
    _, found = _import_of(request, uuid)
    context = {"found": found}
    if found.is_final:
        context |= _preview(request, found)
    partial = request.headers.get("HX-Target") == "import"
    return render(request, "hunting/_import.html" if partial else "hunting/import.html", context)


def _preview(request: HttpRequest, found: HuntImport) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in SHOWS else ""
    items = ImportItem.objects.filter(of=found).filter(SHOWS[show][1]).order_by("number")
    items = items.select_related("kept_hunt__saved", "kept_pack__saved").defer("content", "origin")
    counts = ImportItem.objects.filter(of=found).aggregate(
        **{f"n_{name or 'all'}": Count("pk", filter=q) for name, (_, q) in SHOWS.items()}
    )
    page = Paginator(items, PER_PAGE).get_page(request.GET.get("page"))
    return {
        "page": page,
        "show": show,
        "shows": [(name, label, counts[f"n_{name or 'all'}"]) for name, (label, _) in SHOWS.items()],
        "shown": ",".join(str(item.number) for item in page if item.may_be_kept and not item.is_kept),
        **_chosen(found),
    }


def _chosen(found: HuntImport) -> dict[str, Any]:
    return ImportItem.objects.filter(of=found).aggregate(
        wanted=Count("pk", filter=Q(is_wanted=True, kept_hunt=None, kept_pack=None)),
        kept=Count("pk", filter=~Q(kept_hunt=None) | ~Q(kept_pack=None)),
        problems=Count("pk", filter=~Q(problem="")),
    )


@require_POST
@login_required
def import_choose(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Keeps the ticks of a page, and then does what was asked for: another page, all, none, or the keeping itself."""
    user, found = _import_of(request, uuid)
    shown = _numbers(request.POST.get("shown", "").split(","))
    importing.tick(found=found, actor=user, shown=shown, ticked=_numbers(request.POST.getlist("item")))
    act, _, value = request.POST.get("act", "save").partition(":")
    if act == "keep":
        return _keep(request, found, user)
    if act in ("all", "none"):
        importing.tick_all(found=found, actor=user, wanted=act == "all", outcomes=("kept", "changed"))
    if request.headers.get("HX-Request") and act == "save":
        return render(request, "hunting/_import_chosen.html", {"found": found, **_chosen(found)})
    show = value if act == "show" else request.POST.get("show", "")
    page = value if act == "page" else "1" if act == "show" else request.POST.get("page", "1")
    return redirect(f"{reverse('hunting:imported', args=[uuid])}?show={_word(show)}&page={_word(page)}#found")


def _word(text: str) -> str:
    return text if text.isalnum() and len(text) < 20 else ""


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isdecimal() and len(text) < 8]


def _keep(request: HttpRequest, found: HuntImport, user: User) -> HttpResponse:
    try:
        number = importing.keep(found=found, actor=user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{number:,} {'draft is' if number == 1 else 'drafts are'} being made.")
    return redirect("hunting:imported", found.uuid)


@require_POST
@login_required
def import_cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user, found = _import_of(request, uuid)
    importing.cancel(found=found, actor=user)
    return redirect("hunting:imported", uuid)


@require_GET
@login_required
def import_item(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    """One find in full: its text, what was done to it, and what it would change."""
    _, found = _import_of(request, uuid)
    item = get_object_or_404(ImportItem, of=found, number=number)
    if not item.content:
        raise Http404("Nothing of it can be kept.")
    kql, original = str(item.content.get("kql", "")), str(item.facts.get("original", ""))
    context = {
        "found": found,
        "item": item,
        "kql": kql,
        "steps": [s if isinstance(s, dict) else {"hunt": s, "only_if": ""} for s in item.content.get("hunts", ())],
        "diff": side_by_side(original, kql, context=3) if original else [],
        "same_as": shelf.hunt(item.target) if item.target and item.kind == ImportItem.Kind.HUNT else None,
        "fields": _fields(item),
        "heads": ("As it came", "As it would be kept"),
        "versions": ("The library's", "The import's"),
    }
    partial = bool(request.headers.get("HX-Request"))
    return render(request, "hunting/_import_item.html" if partial else "hunting/import_item.html", context)


def _fields(item: ImportItem) -> list[dict[str, Any]]:
    """What a new version would change, key by key."""
    newest = importing.newest_of(item)
    return [one for one in compared(newest.content, item.content) if one["changed"]] if newest else []


# --- what was not kept


@require_GET
@login_required
def import_refused(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Every member that gives nothing, with line and reason, as CSV whose cells no spreadsheet reads as formulas."""
    _, found = _import_of(request, uuid)
    items = ImportItem.objects.filter(of=found).filter(importing.PARTS["not-kept"])
    response = StreamingHttpResponse(_lines(items.order_by("number")), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{str(found.uuid)[:8]}-not-kept.csv"'
    return response


def _lines(items: QuerySet[ImportItem]) -> Iterator[bytes]:
    # The mark lets spreadsheets see that it is UTF-8.
    yield b"\xef\xbb\xbf" + _line("Member", "Place", "Line", "Format", "Outcome", "Reason", "Same as", "SHA-256")
    for item in items.defer("content", "facts", "origin").iterator():
        yield _line(
            item.member, item.place, str(item.line or ""), item.format, item.get_outcome_display(),
            item.problem or item.reason, item.target, item.sha256,
        )  # fmt: skip


def _line(*cells: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([safe_cell(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")
