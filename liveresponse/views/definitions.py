"""The library of collections: what can be collected, and what the team writes, in versions."""

import itertools
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.models import Case, CaseRole, User
from ircase.services.transfer import uploads
from ircase.views.doors import attempt
from liveresponse import access as rights
from liveresponse import shelf
from liveresponse.catalogue import Definition, DefinitionError, definition_from, parse_yaml, to_yaml
from liveresponse.forms.definitions import Editing, ImportForm
from liveresponse.models import Collection, CollectionVersion, SavedCollection
from liveresponse.services import definitions as saving

LAST_JOBS = 10


@require_GET
@login_required
def library(request: HttpRequest) -> HttpResponse:
    """Every collection, shipped and saved."""
    user = access.current_user(request)
    chosen = {"q": request.GET.get("q", "")[:200].strip(), "review": request.GET.get("review", "")[:20]}
    found = shelf.entries(retired=chosen["review"] == shelf.Review.RETIRED)
    words = chosen["q"].lower().split()
    rows = [
        entry
        for entry in found
        if chosen["review"] in ("", entry.review) and all(word in _words(entry) for word in words)
    ]
    context = {
        "rows": rows,
        "total": len(found),
        "chosen": chosen,
        "filtered": any(chosen.values()),
        "reviews": [(value.value, value.value.capitalize()) for value in shelf.Review],
        "may_save": rights.may_save(user),
    }
    return render(request, "liveresponse/library.html", context)


def _words(entry: shelf.Entry) -> str:
    plan = entry.shown
    return f"{entry.id} {plan.title} {plan.description} {' '.join(plan.files)}".lower() if plan else entry.id


@require_GET
@login_required
def definition(request: HttpRequest, collection_id: str) -> HttpResponse:
    """A collection as it is used now, or as its newest version has it while none is."""
    entry = _entry(collection_id)
    return _show(request, entry, entry.shown)


@require_GET
@login_required
def version(request: HttpRequest, collection_id: str, number: int) -> HttpResponse:
    """A saved collection as one of its versions has it."""
    entry = _entry(collection_id)
    if entry.review is shelf.Review.SHIPPED:
        raise Http404("A shipped collection has one version.")
    get_object_or_404(CollectionVersion, saved__slug=collection_id, number=number)
    return _show(request, entry, shelf.version(collection_id, number), number)


def _entry(collection_id: str) -> shelf.Entry:
    entry = shelf.entry(collection_id)
    if entry is None:
        raise Http404("No such collection.")
    return entry


def _show(request: HttpRequest, entry: shelf.Entry, plan: Definition | None, number: int = 0) -> HttpResponse:
    user = access.current_user(request)
    seen = Collection.objects.filter(case__in=Case.objects.visible_to(user), definition=entry.id)
    context = {
        "entry": entry,
        "plan": plan,
        "yaml": to_yaml(plan.content) if plan else "",
        "preview": plan.preview({}) if plan else [],
        "jobs": seen.select_related("case", "requested_by", "activity")[:LAST_JOBS],
        "cases": _cases(user) if entry.used and entry.review is not shelf.Review.RETIRED else [],
        "may_save": rights.may_save(user),
        **(_saved(entry, user, number or (plan.version if plan else 0)) if entry.saved else {}),
    }
    return render(request, "liveresponse/definition.html", context)


def _saved(entry: shelf.Entry, user: User, number: int) -> dict[str, Any]:
    saved = get_object_or_404(SavedCollection.objects.select_related("created_by", "retired_by"), slug=entry.id)
    versions = list(saved.versions.select_related("author", "approved_by"))
    shown = next((one for one in versions if one.number == number), versions[0])
    newest = versions[0]
    shown.saved = newest.saved = saved
    may_review = rights.may_review(user)
    return {
        "saved": saved,
        "version": shown,
        "newest": newest,
        "versions": versions,
        "may_review": may_review,
        "may_retire": saving.may_retire(saved, user),
        "why_not": saving.why_not_approve(newest, user) if may_review else "",
    }


def _cases(user: User) -> list[Case]:
    """Open cases this person may collect in."""
    roles = (CaseRole.ANALYST, CaseRole.LEAD)
    mine = Case.objects.visible_to(user).filter(closed_at=None, members__user=user, members__role__in=roles)
    return list(mine.order_by("-opened_at")[:20])


@require_GET
@login_required
def export(request: HttpRequest, collection_id: str) -> HttpResponse:
    """The collection as a file, which an import reads again; `version` asks for another than the one in use."""
    entry, number = _entry(collection_id), request.GET.get("version", "")
    plan = shelf.version(collection_id, int(number)) if number.isdecimal() and len(number) < 7 else entry.shown
    if plan is None:
        raise Http404("No such version.")
    response = HttpResponse(to_yaml(plan.content), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{plan.id}.yaml"'
    return response


# --- writing


def _writer(request: HttpRequest) -> User:
    user = access.current_user(request)
    rights.require_save(user)
    return user


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """A collection of the team's own: empty, or a copy of another (`copy`)."""
    user = _writer(request)
    if request.method == "POST":
        return _taken(request, user, Editing(request.POST), None)
    if not request.GET.get("copy"):
        return _form(request, Editing(), None)
    plan = _entry(request.GET["copy"]).shown
    if plan is None:
        raise Http404("No such collection.")
    return _form(request, Editing(base=plan.content, initial={"title": f"{plan.title} (copy)"[:120]}), None)


@require_http_methods(["GET", "POST"])
@login_required
def edit(request: HttpRequest, collection_id: str) -> HttpResponse:
    user = _writer(request)
    saved = get_object_or_404(SavedCollection, slug=collection_id)
    if request.method == "POST":
        return _taken(request, user, Editing(request.POST), saved)
    newest = saved.versions.all()[0]
    return _form(request, Editing(base=newest.content, initial={"edited_from": newest.number}), saved)


def _taken(request: HttpRequest, user: User, editing: Editing, saved: SavedCollection | None) -> HttpResponse:
    """What a person sent: a row added or moved, the preview, or a new version."""
    act = request.POST.get("act", "save")
    if act not in ("save", "preview"):
        return _form(request, editing.act(act), saved)
    if not editing.is_valid():
        return _form(request, editing, saved, status=422)
    data = editing.form.cleaned_data
    slug = saved.slug if saved else data["slug"] or _free_slug(data["title"])
    try:
        if act == "preview":
            content = saving.checked(slug, editing.content())
            return _form(request, editing, saved, seen=definition_from({**content, "id": slug, "version": 1}))
        kept = saving.save_collection(
            actor=user,
            slug=slug,
            content=editing.content(),
            change=data["change"],
            edited_from=data["edited_from"] or 0 if saved else 0,
        )
    except saving.Conflict as conflict:
        return _conflict(request, editing, saved, conflict)
    except ValidationError as error:
        editing.take_errors(error)
        return _form(request, editing, saved, status=422)
    _tell(request, kept, before=data["edited_from"] or 0)
    return redirect("liveresponse:definition", kept.saved.slug)


def _conflict(
    request: HttpRequest, editing: Editing, saved: SavedCollection | None, conflict: saving.Conflict
) -> HttpResponse:
    """Show what was written again; saving once more puts it on top of the newer version."""
    if saved is None:
        editing.form.add_error("slug", conflict)
        return _form(request, editing, saved, status=409)
    again = editing.act("keep")
    again.form.initial["edited_from"] = conflict.newest.number
    messages.warning(request, " ".join(conflict.messages))
    return _form(request, again, saved, status=409)


def _tell(request: HttpRequest, kept: CollectionVersion, before: int) -> None:
    if kept.number == before:
        messages.info(request, "Nothing was changed, so there is no new version.")
    elif kept.is_usable:
        messages.success(request, f"Version {kept.number} is saved. It runs nothing, so it may be used at once.")
    else:
        text = f"Version {kept.number} is saved, a draft until somebody else approves it: it runs a script."
        messages.success(request, text)


def _free_slug(title: str) -> str:
    base = slugify(title)[:58].strip("-") or "collection"
    base = base if len(base) > 1 else f"{base}-1"
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if shelf.entry(name) is None and name not in saving.RESERVED)


def _form(
    request: HttpRequest,
    editing: Editing,
    saved: SavedCollection | None,
    *,
    status: int = 200,
    seen: Definition | None = None,
) -> HttpResponse:
    context = {
        "editing": editing,
        "form": editing.form,
        "saved": saved,
        "preview": seen.preview({}) if seen else [],
        "yaml": to_yaml(seen.content) if seen else "",
        "here": request.path,
        "files": sorted({name for plan in shelf.definitions().values() for name in plan.files}),
    }
    return render(request, "liveresponse/definition_form.html", context, status=status)


@csrf_exempt  # `_import` checks it, after the handler that takes the file is in place
@login_required
@require_http_methods(["GET", "POST"])
def import_yaml(request: HttpRequest) -> HttpResponse:
    """A definition from a file or from text."""
    user = _writer(request)
    if request.method == "GET":
        return _import_form(request, ImportForm())
    try:
        files = uploads.receive(request)
    except uploads.NoFile:
        files = []  # the text may have been pasted
    except (ValidationError, RequestDataTooBig) as error:
        return _import_form(request, ImportForm(), " ".join(getattr(error, "messages", [str(error)])))
    try:
        return _import(request, user)
    finally:
        for file in files:
            file.close()


@csrf_protect
def _import(request: HttpRequest, user: User) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _import_form(request, form)
    try:
        kept = _imported(form.cleaned_data, user)
    except DefinitionError as error:
        return _import_form(request, form, str(error))
    except ValidationError as error:
        return _import_form(request, form, " ".join(error.messages))
    _tell(request, kept, before=0)
    return redirect("liveresponse:definition", kept.saved.slug)


def _import_form(request: HttpRequest, form: ImportForm, problem: str = "") -> HttpResponse:
    status = 422 if form.errors or problem else 200
    return render(request, "liveresponse/definition_import.html", {"form": form, "problem": problem}, status=status)


def _imported(data: dict[str, Any], user: User) -> CollectionVersion:
    """Raises DefinitionError and ValidationError."""
    text = data["file"].read(200_000) if data["file"] else data["text"]
    content = parse_yaml(text)
    slug = content.get("id")
    if not isinstance(slug, str) or slug != slugify(slug) or not 2 <= len(slug) <= 64:
        raise DefinitionError([("id", "A definition needs an id of 2 to 64 lower-case letters, digits and hyphens.")])
    newest = CollectionVersion.objects.filter(saved__slug=slug).first() if data["next_version"] else None
    return saving.save_collection(
        actor=user,
        slug=slug,
        content=content,
        change=data["change"] or "Imported",
        edited_from=newest.number if newest else 0,
    )


@require_POST
@login_required
def approve(request: HttpRequest, collection_id: str) -> HttpResponse:
    user = access.current_user(request)
    rights.require_review(user)
    number = request.POST.get("version", "")
    rows = CollectionVersion.objects.filter(saved__slug=collection_id)
    found = get_object_or_404(rows, number=int(number) if number.isdecimal() and len(number) < 7 else 0)
    attempt(
        request, f"Version {found.number} is approved and in use.", lambda: saving.approve(version=found, actor=user)
    )
    return redirect("liveresponse:definition", collection_id)


@require_POST
@login_required
def retire(request: HttpRequest, collection_id: str) -> HttpResponse:
    user = _writer(request)
    saved = get_object_or_404(SavedCollection, slug=collection_id)
    attempt(request, "It is retired.", lambda: saving.retire(saved=saved, actor=user))
    return redirect("liveresponse:definition", collection_id)


@require_POST
@login_required
def restore(request: HttpRequest, collection_id: str) -> HttpResponse:
    user = _writer(request)
    saved = get_object_or_404(SavedCollection, slug=collection_id)
    attempt(request, "It is back.", lambda: saving.restore(saved=saved, actor=user))
    return redirect("liveresponse:definition", collection_id)
