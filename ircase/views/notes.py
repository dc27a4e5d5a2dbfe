"""Notes: pages of markdown that two people can write without losing a word."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, markdown
from ircase.forms.notes import NoteForm, NoteNewForm, PlaceForm
from ircase.models import Case, Note
from ircase.pages import render_tab
from ircase.services.writing import comments
from ircase.services.writing import notes as service
from ircase.views.doors import attempt, case_to_change, say_errors
from ircase.views.merging import merge_page

PER_PAGE = 100
REVISIONS_PER_PAGE = 30


@require_GET
@login_required
def notes(request: HttpRequest, reference: str) -> HttpResponse:
    """The pages by folder; `?archived=1` those that were taken out."""
    case = access.get_case(access.current_user(request), reference)
    archived = request.GET.get("archived") == "1"
    rows = Note.objects.filter(case=case).defer("body").select_related("updated_by", "archived_by")
    rows = rows.exclude(archived_at=None) if archived else rows.there()
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "comment_counts": comments.counts(case, {"note": [note.uuid for note in page]}),
        "archived": archived,
        "has_archived": archived or Note.objects.filter(case=case).exclude(archived_at=None).exists(),
    }
    return render_tab(request, case, "notes", "notes/list.html", context)


def find(case: Case, uuid: UUID) -> Note:
    found = case.notes.select_related("updated_by", "archived_by").filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such note.")
    found.case = case
    return found


def folders(case: Case) -> QuerySet[Note, str]:
    """Names of folders that the case has, to choose from while typing."""
    named = Note.objects.filter(case=case).exclude(folder="").order_by("folder")
    return named.values_list("folder", flat=True).distinct()[:200]


@require_GET
@login_required
def note(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference)
    found = find(case, uuid)
    revisions = found.revisions.select_related("saved_by").defer("body")
    room = markdown.room_for([found.body], case, user, anchors=True)
    context = {
        "note": found,
        "html": markdown.render(found.body, room),
        "revisions": Paginator(revisions, REVISIONS_PER_PAGE).get_page(request.GET.get("page")),
        "late": list(revisions.filter(rejected=True, settled_at=None)[:10]),
        "place_form": PlaceForm(initial={"folder": found.folder, "pinned": found.pinned}),
        "folders": folders(case),
    }
    return render_tab(request, case, "notes", "notes/note.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def note_new(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    form = NoteNewForm(request.POST or None, initial={"folder": request.GET.get("folder", "")[:200]})
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("title", "body", "folder")}
        try:
            made = service.create_note(case=case, actor=user, **values)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("ircase:note", case.reference, made.uuid)
    return _form(request, case, form, folders=folders(case))


@require_http_methods(["GET", "POST"])
@login_required
def note_edit(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Save against the version that was on screen; a late save is answered by both texts, to be merged."""
    user, case = case_to_change(request, reference)
    found = find(case, uuid)
    initial = {"title": found.title, "body": found.body, "version": found.version}
    form = NoteForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data | {"version": form.cleaned_data["version"] or 0}
        try:
            service.save_note(note=found, actor=user, **values)
        except service.NoteConflict as conflict:
            return merge_page(request, case, conflict.revision, message=str(conflict), status=409)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "The note is saved.")
            return redirect("ircase:note", case.reference, found.uuid)
    return _form(request, case, form, note=found)


def _form(request: HttpRequest, case: Case, form: NoteForm, **more: Any) -> HttpResponse:
    status = 422 if form.errors else 200
    return render_tab(request, case, "notes", "notes/edit.html", {"form": form, **more}, status=status)


@require_POST
@login_required
def note_place(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """`step` -1 or 1 moves it among its neighbours; else its folder and pin are set."""
    user, case = case_to_change(request, reference)
    found = find(case, uuid)
    step = {"-1": -1, "1": 1}.get(request.POST.get("step", ""), 0)
    if step:
        service.place_note(note=found, actor=user, step=step)
        return redirect("ircase:notes", case.reference)
    form = PlaceForm(request.POST)
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in errors] for name, errors in form.errors.items()})
    else:
        attempt(request, "It is in its place.", lambda: service.place_note(note=found, actor=user, **form.cleaned_data))
    return redirect("ircase:note", case.reference, found.uuid)


@require_POST
@login_required
def note_archive(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A lead takes a page out, or with `back=1` in again."""
    user, case = case_to_change(request, reference, access.LEAD)
    found = find(case, uuid)
    if request.POST.get("back") == "1":
        service.unarchive_note(note=found, actor=user)
        messages.success(request, "The note is back among the others.")
        return redirect("ircase:note", case.reference, found.uuid)
    service.archive_note(note=found, actor=user)
    messages.success(request, "The note is archived. Its texts are kept, and a lead can bring it back.")
    return redirect("ircase:notes", case.reference)
