"""The texts that a note had: read, compared, brought back, and merged where two people wrote at the same time."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, markdown, textmerge
from ircase.forms.notes import CompareForm, MergeForm
from ircase.models import Case, NoteRevision
from ircase.pages import render_tab
from ircase.services.writing import notes as service
from ircase.textdiff import changed, side_by_side
from ircase.textmerge import Side
from ircase.views.doors import attempt, case_to_change

CONTEXT_LINES = 3
MOST_CHOICES = 500


def _find(case: Case, uuid: UUID, revision: int) -> NoteRevision:
    found = (
        NoteRevision.objects.filter(note__case=case, note__uuid=uuid, pk=revision)
        .select_related("note__updated_by", "saved_by")
        .first()
    )
    if found is None:
        raise Http404("No such revision.")
    found.note.case = case
    return found


@require_GET
@login_required
def note_revision(request: HttpRequest, reference: str, uuid: UUID, revision: int) -> HttpResponse:
    """An earlier text, or one that came too late."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    then = _find(case, uuid, revision)
    html = markdown.render(then.body, markdown.room_for([then.body], case, user))
    return render_tab(
        request, case, "notes", "notes/revision.html", {"note": then.note, "revision": then, "html": html}
    )


@require_GET
@login_required
def note_compare(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Two texts side by side: those of `before` and `after`, else the last two."""
    case = access.get_case(access.current_user(request), reference)
    note = case.notes.filter(uuid=uuid).first()
    if note is None:
        raise Http404("No such note.")
    revisions = note.revisions.select_related("saved_by")
    form = CompareForm(request.GET, revisions=revisions)
    form.is_valid()
    last = list(revisions.filter(rejected=False)[:2])
    if not last:
        raise Http404("The note came without its earlier texts.")
    after = form.cleaned_data.get("after") or last[0]
    before = form.cleaned_data.get("before") or last[-1]
    lines = side_by_side(before.body, after.body, context=CONTEXT_LINES)
    context = {
        "note": note, "before": before, "after": after, "revisions": revisions.defer("body")[:200],
        "lines": lines, "differs": changed(lines), "heads": [_named(before), _named(after)],
    }  # fmt: skip
    return render_tab(request, case, "notes", "notes/compare.html", context)


def _named(revision: NoteRevision) -> str:
    late = ", came late" if revision.rejected else ""
    return f"Version {revision.version}, {revision.author_name}{late}"


@require_POST
@login_required
def note_restore(request: HttpRequest, reference: str, uuid: UUID, revision: int) -> HttpResponse:
    user, case = case_to_change(request, reference)
    then = _find(case, uuid, revision)
    text = request.POST.get("version", "")
    version = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    act = "Its text is the page again, as a new version."
    attempt(request, act, lambda: service.restore(revision=then, actor=user, version=version))
    return redirect("ircase:note", case.reference, then.note.uuid)


@require_http_methods(["GET", "POST"])
@login_required
def note_merge(request: HttpRequest, reference: str, uuid: UUID, revision: int) -> HttpResponse:
    """Merge a text that came late with the page. `act`: `choose` builds the text from the sides that were chosen,
    `leave` leaves the page as it is, else what was written is saved against `version`."""
    user, case = case_to_change(request, reference)
    late = _find(case, uuid, revision)
    if not late.rejected:
        raise Http404("This text is the page, or was.")
    act = request.POST.get("act", "")
    if request.method == "GET" or act == "choose":
        return merge_page(request, case, late)
    if act == "leave":
        service.settle(late=late, actor=user)
        messages.success(request, "The page stays as it is. Your text is among its earlier texts.")
        return redirect("ircase:note", case.reference, late.note.uuid)
    form = MergeForm(request.POST)
    if form.is_valid():
        values = form.cleaned_data | {"version": form.cleaned_data["version"] or 0}
        try:
            service.save_merged(late=late, actor=user, **values)
        except service.NoteConflict as conflict:
            service.settle(late=late, actor=user)  # the newer text holds what this one did
            return merge_page(request, case, conflict.revision, message=str(conflict), status=409)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "The merged text is saved.")
            return redirect("ircase:note", case.reference, late.note.uuid)
    return merge_page(request, case, late, form=form, status=422)


def merge_page(
    request: HttpRequest,
    case: Case,
    late: NoteRevision,
    *,
    form: MergeForm | None = None,
    message: str = "",
    status: int = 200,
) -> HttpResponse:
    """What both began with, what the page is now and what came late, in three columns, with the merged text below."""
    pieces = service.merge_of(late)
    choices = _choices(request.POST) if request.POST.get("act") == "choose" else {}
    if form is None:
        merged = textmerge.text_of(pieces, choices, late.note.updated_by.name, late.author_name)
        title = service.merged_title(late)
        form = MergeForm(initial={"title": title, "body": merged, "version": late.note.version})
    found = textmerge.conflicts_of(pieces)
    context = {
        "note": late.note, "late": late, "form": form, "message": message, "rows": list(textmerge.rows(pieces)),
        "conflicts": [{"piece": piece, "choice": choices.get(piece.number, "")} for piece in found[:MOST_CHOICES]],
        "open": sum(piece.number not in choices for piece in found),
        "draft_version": f"{late.note.version}-{late.pk}",
    }  # fmt: skip
    return render_tab(request, case, "notes", "notes/merge.html", context, status=status)


def _choices(said: Mapping[str, str]) -> dict[int, Side]:
    found: dict[int, Side] = {}
    for number in range(1, MOST_CHOICES + 1):
        value = said.get(f"side-{number}", "")
        for side in textmerge.SIDES:
            if value == side:
                found[number] = side
    return found
