"""Writing the library in the browser: a hunt saved from a query, edited, approved, retired, brought back."""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST

import kql
from hunting import access as rights
from hunting import shelf
from hunting.catalogue import WRITTEN, Hunt, HuntError, Review, hunt_from
from hunting.forms.hunts import Editing, content_of, guessed, not_on_a_case, unreadable
from hunting.models import HuntVersion, SavedHunt
from hunting.services import library as saving
from hunting.views.doors import run_of
from hunting.views.library import compared
from ircase import access
from ircase.access import parse_uuid
from ircase.models import User
from ircase.views.doors import attempt
from kql.errors import KqlError

_BEGIN: Final = "begin"
"""`action` of another page's form that only carries its text here."""


@require_http_methods(["GET", "POST"])
@login_required
def hunt_new(request: HttpRequest) -> HttpResponse:
    """A hunt of the team's own: empty, from a query (POST with action=begin), from a run (`case`, `run`), or a copy of
    another hunt (`copy`)."""
    user = _writer(request)
    if request.method == "GET" or request.POST.get("action") == _BEGIN:
        return _form(request, _begin(request, user))
    editing = Editing(request.POST)
    return _taken(request, user, editing, None)


def _begin(request: HttpRequest, user: User) -> Editing:
    if request.method == "POST":
        return Editing(initial=_carried(request.POST))
    if request.GET.get("run"):
        return Editing(initial=_of_run(request, user))
    copied = shelf.hunt(request.GET["copy"]) if request.GET.get("copy") else None
    if request.GET.get("copy") and copied is None:
        raise Http404("No such hunt.")
    return Editing(base=content_of(copied), initial={"title": f"{copied.title} (copy)"[:120]}) if copied else Editing()


def _carried(data: Mapping[str, str]) -> dict[str, Any]:
    """What the form for own KQL holds."""
    source, text = data.get("source", ""), data.get("kql", "").replace("\r\n", "\n")
    return guessed(text) | {
        "kql": text,
        "title": data.get("title", "")[:120],
        "source": source if source in WRITTEN else "",
    }


def _of_run(request: HttpRequest, user: User) -> dict[str, Any]:
    """The text of a run, as the person wrote it; only of a case that they may see."""
    case = access.get_case(user, request.GET.get("case", ""))
    run = run_of(case, parse_uuid(request.GET["run"]))
    text = run.kql.replace("\r\n", "\n")
    return guessed(text) | {"kql": text, "title": run.title[:120], "source": run.source}


@require_http_methods(["GET", "POST"])
@login_required
def hunt_edit(request: HttpRequest, hunt_id: str) -> HttpResponse:
    user = _writer(request)
    saved = get_object_or_404(SavedHunt, slug=hunt_id)
    newest = saved.versions.select_related("author")[0]
    if request.method == "GET":
        return _form(request, Editing(base=newest.content, initial={"edited_from": newest.number}), saved)
    number = request.POST.get("edited_from", "")
    edited = saved.versions.filter(number=int(number)).first() if number.isdecimal() and len(number) < 7 else None
    return _taken(request, user, Editing(request.POST, base=(edited or newest).content), saved)


def _writer(request: HttpRequest) -> User:
    user = access.current_user(request)
    rights.require_save(user)
    return user


def _taken(request: HttpRequest, user: User, editing: Editing, saved: SavedHunt | None) -> HttpResponse:
    """What a person sent: saved, or shown again with what is wrong, or with what was found in the text."""
    if not editing.is_valid():
        return _form(request, editing, saved, status=422)
    editing.take_constants()
    if request.POST.get("action") == "check":
        return _form(request, editing.again(), saved, said=_said(editing, saved))
    data = editing.form.cleaned_data
    fault = unreadable(data["kql"])
    if fault is not None and not data["accept"]:
        editing.form.add_error("kql", f"{_place(fault)}: {fault.message} {fault.hint}".strip())
        return _form(request, editing, saved, status=422, may_accept=True)
    slug = saved.slug if saved else data["slug"] or _free_slug(data["title"])
    try:
        version = saving.save_hunt(
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
    return _kept(request, version, editing, before=data["edited_from"] or 0)


def _kept(request: HttpRequest, version: HuntVersion, editing: Editing, before: int) -> HttpResponse:
    if version.number == before:
        messages.info(request, "Nothing was changed, so there is no new version.")
    else:
        messages.success(request, f"Version {version.number} is saved, a draft until somebody else approves it.")
    twin = saving.find_duplicate(version.content, other_than=version.saved.slug)
    if twin is not None and version.number == 1:
        messages.warning(request, f"“{twin.title}” ({twin.id}) asks the same. Retire one of the two.")
    for fault in not_on_a_case(_draft(version.content))[:3]:
        messages.warning(request, f"It does not run on a case's own tables. {_place(fault)}: {fault.message}")
    return redirect("hunting:hunt", version.saved.slug)


def _draft(content: Mapping[str, Any]) -> Hunt:
    return hunt_from({**content, "id": "draft", "version": 1}, review=Review.DRAFT)


def _free_slug(title: str) -> str:
    """An id from the title that no hunt has."""
    base = slugify(title)[:56].strip("-") or "hunt"
    base = base if len(base) > 1 else f"hunt-{base}"
    taken = shelf.hunts(retired=True).keys() | saving.RESERVED
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def _said(editing: Editing, saved: SavedHunt | None) -> list[dict[str, str]]:
    """What a check found, a notice each."""
    text = editing.form.cleaned_data["kql"]
    fault = unreadable(text)
    if fault is not None:
        said = f"{_place(fault)}: {fault.message} {fault.hint}".strip()
        return [{"tone": "danger", "title": "This cannot be read as KQL", "text": said}]
    slug = saved.slug if saved else ""
    try:
        content = saving.checked(slug or "draft", editing.content())
        faults = not_on_a_case(_draft(content))
    except (ValidationError, HuntError) as error:
        words = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        return [{"tone": "danger", "title": "It cannot be saved like this", "text": words}]
    found = [
        {
            "tone": "warn",
            "title": "It does not run on a case's own tables",
            "text": f"{_place(one)}: {one.message} {one.hint}".strip(),
        }
        for one in faults[:3]
    ]
    twin = saving.find_duplicate(content, other_than=slug)
    if twin is not None:
        found.append({"tone": "warn", "title": "There is such a hunt already", "text": f"{twin.title} ({twin.id})"})
    reads = ", ".join(content["tables"]) or "no table"
    return found or [{"tone": "ok", "title": "Nothing stands in the way", "text": f"It reads {reads}."}]


def _place(fault: KqlError | kql.Diagnostic) -> str:
    return f"Line {fault.line or 1}, column {fault.column or 1}"


def _conflict(
    request: HttpRequest, editing: Editing, saved: SavedHunt | None, conflict: saving.Conflict
) -> HttpResponse:
    """Somebody was faster: the text stays in the form, and what differs is shown."""
    if saved is None:
        editing.form.add_error("slug", " ".join(conflict.messages))
        return _form(request, editing, saved, status=422)
    newest = conflict.newest
    fields = [one for one in compared(newest.content, editing.content()) if one["changed"] and one["key"] != "tables"]
    again = editing.again(edited_from=newest.number)
    said = [{"tone": "warn", "title": "Somebody saved it meanwhile", "text": " ".join(conflict.messages)}]
    heads = (f"Version {newest.number}", "Yours")
    return _form(request, again, saved, status=409, said=said, fields=fields, heads=heads)


def _form(
    request: HttpRequest, editing: Editing, saved: SavedHunt | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"editing": editing, "form": editing.form, "rows": editing.rows, "saved": saved, **more}
    return render(request, "hunting/hunt_form.html", context, status=status)


@require_POST
@login_required
def hunt_approve(request: HttpRequest, hunt_id: str) -> HttpResponse:
    """`version`: the number that the person has read."""
    user = _reviewer(request)
    number = request.POST.get("version", "")
    version = get_object_or_404(
        HuntVersion.objects.select_related("saved"),
        saved__slug=hunt_id,
        number=int(number) if number.isdecimal() and len(number) < 7 else 0,
    )
    attempt(request, f"Version {version.number} is approved.", lambda: saving.approve(version=version, actor=user))
    return redirect("hunting:hunt", hunt_id)


def _reviewer(request: HttpRequest) -> User:
    user = access.current_user(request)
    rights.require_review(user)
    return user


@require_POST
@login_required
def hunt_retire(request: HttpRequest, hunt_id: str) -> HttpResponse:
    user, saved = _to_keep(request, hunt_id)
    reason = request.POST.get("reason", "")
    said = "The hunt is retired: what it found stays, and it is not offered for new runs."
    attempt(request, said, lambda: saving.retire(saved=saved, actor=user, reason=reason))
    return redirect("hunting:hunt", hunt_id)


@require_POST
@login_required
def hunt_restore(request: HttpRequest, hunt_id: str) -> HttpResponse:
    user, saved = _to_keep(request, hunt_id)
    attempt(request, "The hunt is back.", lambda: saving.restore(saved=saved, actor=user))
    return redirect("hunting:hunt", hunt_id)


def _to_keep(request: HttpRequest, hunt_id: str) -> tuple[User, SavedHunt]:
    user = _writer(request)
    saved = get_object_or_404(SavedHunt, slug=hunt_id)
    if not saving.may_retire(saved, user):
        raise PermissionDenied("This needs whoever made the hunt, somebody who leads a case, or an administrator.")
    return user, saved


@require_POST
@login_required
def version_restore(request: HttpRequest, hunt_id: str, number: int) -> HttpResponse:
    """An old version once more, as the newest."""
    user = _writer(request)
    old = get_object_or_404(HuntVersion.objects.select_related("saved"), saved__slug=hunt_id, number=number)
    newest = old.saved.versions.all()[0]

    def restored() -> None:
        saving.save_hunt(
            actor=user,
            slug=hunt_id,
            content=old.content,
            change=f"Version {old.number} again",
            edited_from=newest.number,
        )

    attempt(request, f"Version {number} is the newest again, as a draft.", restored)
    return redirect("hunting:hunt", hunt_id)
