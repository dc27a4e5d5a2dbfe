"""Writing a playbook: its head, one item, or the whole as YAML. Every save is a version of its own, a draft."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from ircase import access, catalogue, shelf
from ircase.forms.playbooks import ChangeForm, PlaybookForm, PlaybookItemForm, YamlForm
from ircase.models import PlaybookVersion, SavedPlaybook, User
from ircase.services.phases import playbooks


def _writer(request: HttpRequest) -> User:
    user = access.current_user(request)
    playbooks.require_save(user)
    return user


def _newest(slug: str) -> PlaybookVersion:
    saved = get_object_or_404(SavedPlaybook, slug=slug)
    found: PlaybookVersion = saved.versions.select_related("author")[0]
    found.saved = saved
    return found


def _save(
    request: HttpRequest, user: User, form: ChangeForm, slug: str, content: Mapping[str, Any], *, new: bool = False
) -> PlaybookVersion | None:
    """The version that was saved; None where it was not, and the form says why. After a conflict the next save goes on
    top of the newer version."""
    data = form.cleaned_data
    edited_from = 0 if new else data["edited_from"] or 0
    try:
        kept = playbooks.save_playbook(
            actor=user, slug=slug, content=content, change=data["change"], edited_from=edited_from
        )
    except playbooks.Conflict as conflict:
        form.add_error(None, conflict.messages)
        if not new:
            sent = request.POST.copy()
            sent["edited_from"] = str(conflict.newest.number)
            form.data = sent
        return None
    except ValidationError as error:
        form.add_error(None, error.messages)
        return None
    if kept.number == edited_from:
        messages.info(request, "Nothing was changed, so there is no new version.")
    else:
        messages.success(request, f"Version {kept.number} is saved, a draft until a second person has reviewed it.")
    return kept


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """A playbook of the team's own: of an exported file, of a text, or a copy of another (`copy`)."""
    user = _writer(request)
    if request.method == "GET":
        return _yaml_page(request, YamlForm(initial=_copied(request.GET.get("copy", ""))), None)
    form = YamlForm(request.POST)
    if form.is_valid():
        content = _read(form)
        slug = form.cleaned_data["slug"] or str((content or {}).get("id", ""))
        kept = _save(request, user, form, slug, content, new=True) if content is not None else None
        if kept is not None:
            return redirect("ircase:playbook", kept.saved.slug)
    return _yaml_page(request, form, None)


def _copied(slug: str) -> dict[str, Any]:
    if not slug:
        return {"text": STARTER}
    plan = catalogue.playbooks().get(slug) or shelf.read(slug, _newest(slug))
    if plan is None:
        raise Http404("No such playbook.")
    return {"slug": f"{slug[:58]}-copy", "text": catalogue.to_yaml(f"{slug[:58]}-copy", 1, plan.content)}


STARTER = """title: What it is for
description: When it fits, in a sentence.
roles: [Lead, Analyst, Scribe]
items:
  - key: validate
    phase: detection
    title: Decide whether this is an incident
    r2: "1.1"
    csf: RS.MA-02
    proof: result
    required: true
    due: {after: detected, within: 1h}
"""


def _read(form: YamlForm) -> dict[str, Any] | None:
    try:
        return catalogue.parse_yaml(form.cleaned_data["text"].replace("\r\n", "\n"))
    except catalogue.CatalogueError as error:
        form.add_error("text", str(error))
        return None


@require_http_methods(["GET", "POST"])
@login_required
def edit_yaml(request: HttpRequest, slug: str) -> HttpResponse:
    user, newest = _writer(request), _newest(slug)
    text = catalogue.to_yaml(slug, newest.number, newest.content)
    form = YamlForm(request.POST or None, initial={"text": text, "edited_from": newest.number})
    if request.method == "POST" and form.is_valid():
        content = _read(form)
        if content is not None and _save(request, user, form, slug, content):
            return redirect("ircase:playbook", slug)
    return _yaml_page(request, form, newest)


def _yaml_page(request: HttpRequest, form: YamlForm, newest: PlaybookVersion | None) -> HttpResponse:
    context = {"form": form, "newest": newest, "slug": newest.saved.slug if newest else ""}
    return render(request, "playbooks/yaml.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Title, description, duties and packs; the items have pages of their own."""
    user, newest = _writer(request), _newest(slug)
    form = PlaybookForm(request.POST or None, initial={**newest.content, "edited_from": newest.number})
    if (
        request.method == "POST"
        and form.is_valid()
        and _save(request, user, form, slug, form.content(_edited(slug, form, newest)))
    ):
        return redirect("ircase:playbook", slug)
    context = {"form": form, "newest": newest, "slug": slug, "items": newest.content["items"]}
    return render(request, "playbooks/edit.html", context, status=422 if form.errors else 200)


def _edited(slug: str, form: ChangeForm, newest: PlaybookVersion) -> Mapping[str, Any]:
    """The content of the version that the form was filled from: what else is in it must not come from a newer one
    unless the person has been told of it."""
    number = form.cleaned_data["edited_from"] or 0
    rows = PlaybookVersion.objects.filter(saved__slug=slug, number=number)
    found: Mapping[str, Any] = rows.values_list("content", flat=True).first() or newest.content
    return found


@require_http_methods(["GET", "POST"])
@login_required
def item(request: HttpRequest, slug: str, key: str = "") -> HttpResponse:
    """One item, or with no key a new one: saved, moved or taken away."""
    user, newest = _writer(request), _newest(slug)
    content = newest.content
    place, found = _place(content, key)
    act = request.POST.get("act", "save")
    if request.method == "POST" and act in ("up", "down", "remove") and found:
        return _act(request, user, newest, key, act)
    form = PlaybookItemForm(
        request.POST or None,
        initial={**PlaybookItemForm.initial_of(found), "edited_from": newest.number},
        roles=content["roles"],
        above=[(one["key"], one["title"]) for one in content["items"][:place]],
    )
    if request.method == "POST" and form.is_valid():
        wanted = playbooks.with_item(_edited(slug, form, newest), form.content(), replaces=key)
        if _save(request, user, form, slug, wanted):
            return redirect("ircase:playbook", slug)
    context = {"form": form, "newest": newest, "slug": slug, "key": key, "total": len(content["items"]), "place": place}
    return render(request, "playbooks/item.html", context, status=422 if form.errors else 200)


def _place(content: Mapping[str, Any], key: str) -> tuple[int, Mapping[str, Any]]:
    """Where the item stands, and the item; the end of the list for a new one."""
    if not key:
        return len(content["items"]), {}
    for place, one in enumerate(content["items"]):
        if one["key"] == key:
            return place, one
    raise Http404("No such item.")


def _act(request: HttpRequest, user: User, newest: PlaybookVersion, key: str, act: str) -> HttpResponse:
    form = ChangeForm(request.POST)
    if not form.is_valid():
        raise Http404("No such version.")
    content = _edited(newest.saved.slug, form, newest)
    try:
        if act == "remove":
            wanted, said = playbooks.without_item(content, key), f"Without the item {key}"
        else:
            wanted, said = playbooks.moved(content, key, -1 if act == "up" else 1), f"{key} moved {act}"
    except (ValidationError, StopIteration) as error:
        messages.error(request, " ".join(getattr(error, "messages", ["The item is not in that version."])))
        return redirect("ircase:playbook", newest.saved.slug)
    form.cleaned_data["change"] = said
    if _save(request, user, form, newest.saved.slug, wanted) is None:
        messages.error(request, " ".join(str(one) for one in form.non_field_errors()))
    return redirect("ircase:playbook", newest.saved.slug)
