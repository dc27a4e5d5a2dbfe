"""Notes: pages of markdown that two people can write without losing a word."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.notes import NoteForm
from ircase.models import Case, Note
from ircase.pages import render_tab
from ircase.services import cases
from ircase.views.doors import case_to_change


@require_GET
@login_required
def notes(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    rows = Note.objects.filter(case=case).select_related("updated_by").order_by("-updated_at")
    return render_tab(request, case, "notes", "case/notes.html", {"notes": rows})


def _find(case: Case, uuid: UUID) -> Note:
    found = case.notes.select_related("updated_by").filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such note.")
    return found


@require_GET
@login_required
def note(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    found = _find(case, uuid)
    revisions = found.revisions.select_related("saved_by")
    return render_tab(request, case, "notes", "case/note.html", {"note": found, "revisions": revisions})


@require_GET
@login_required
def note_revision(request: HttpRequest, reference: str, uuid: UUID, revision: int) -> HttpResponse:
    """An earlier text, or one that came too late."""
    case = access.get_case(access.current_user(request), reference)
    found = _find(case, uuid)
    then = found.revisions.select_related("saved_by").filter(pk=revision).first()
    if then is None:
        raise Http404("No such revision.")
    return render_tab(request, case, "notes", "case/note_revision.html", {"note": found, "revision": then})


@require_http_methods(["GET", "POST"])
@login_required
def note_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = cases.create_note(case=case, actor=user, title=values["title"], body=values["body"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            return redirect("ircase:note", case.reference, made.uuid)
    return render_tab(request, case, "notes", "case/note_edit.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def note_edit(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Save against the version that was on screen; a late save is answered by both texts, side by side."""
    user, case = case_to_change(request, reference)
    found = _find(case, uuid)
    initial = {"title": found.title, "body": found.body, "version": found.version}
    form = NoteForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data | {"version": form.cleaned_data["version"] or 0}
        try:
            cases.save_note(note=found, actor=user, **values)
        except cases.NoteConflict as conflict:
            return _conflict(request, case, conflict)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The note is saved.")
            return redirect("ircase:note", case.reference, found.uuid)
    context = {"form": form, "note": found}
    return render_tab(request, case, "notes", "case/note_edit.html", context, status=422 if form.errors else 200)


def _conflict(request: HttpRequest, case: Case, conflict: cases.NoteConflict) -> HttpResponse:
    theirs, mine = conflict.note, conflict.revision
    form = NoteForm(initial={"title": mine.title, "body": mine.body, "version": theirs.version})
    context = {"note": theirs, "mine": mine, "form": form, "message": str(conflict)}
    return render_tab(request, case, "notes", "case/note_conflict.html", context, status=409)
