"""Packs: one of the library, the editor, and one at work on a case."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting import access as rights
from hunting import shelf
from hunting.catalogue import Pack
from hunting.forms.library import PackEditForm, StepRow, conditions, moved, steps_of, steps_of_pack
from hunting.importing import export_pack
from hunting.models import PackRun, PackVersion, SavedPack
from hunting.services import packbook, packs
from hunting.views.panel import ENTITY_TITLES
from ircase import access
from ircase.models import Case, User
from ircase.pages import render_tab
from ircase.views.doors import attempt, case_to_change


def pack_or_404(pack_id: str) -> Pack:
    found = shelf.pack(pack_id)
    if found is None:
        raise Http404("No such pack.")
    return found


# --- in the library


@require_GET
@login_required
def pack(request: HttpRequest, pack_id: str) -> HttpResponse:
    """What a pack runs and when, and its versions."""
    found = pack_or_404(pack_id)
    saved = SavedPack.objects.select_related("retired_by").filter(slug=pack_id).first()
    context = {
        "pack": found,
        "titles": {hunt.id: hunt.title for hunt in found.hunts},
        "entity_title": ENTITY_TITLES[found.entity],
        "saved": saved,
        "versions": list(saved.versions.select_related("author").defer("content")) if saved else [],
        "may_review": rights.may_review(access.current_user(request)),
    }
    return render(request, "hunting/pack.html", context)


@require_GET
@login_required
def pack_export(request: HttpRequest, pack_id: str) -> HttpResponse:
    """The pack as a file of the library, which an import reads again."""
    found = pack_or_404(pack_id)
    response = HttpResponse(export_pack(found), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.id}.yaml"'
    return response


@require_http_methods(["GET", "POST"])
@login_required
def pack_new(request: HttpRequest) -> HttpResponse:
    """An empty pack, or a copy of the one that `?from=` names."""
    user = _reviewer(request)
    if request.method == "POST":
        return _edited(request, user, "", 0)
    model = shelf.pack(request.GET.get("from", "")[:64])
    initial: dict[str, Any] = {}
    if model is not None:
        initial = {"title": f"{model.title} (copy)"[:120], "description": model.description, "entity": model.entity}
    form = PackEditForm(initial=initial, is_new=True)
    return _form(request, form, steps_of_pack(model) if model else [], "", 0)


@require_http_methods(["GET", "POST"])
@login_required
def pack_edit(request: HttpRequest, pack_id: str) -> HttpResponse:
    user = _reviewer(request)
    saved = get_object_or_404(SavedPack, slug=pack_id)
    newest = saved.versions.order_by("-number")[0]
    if request.method == "POST":
        given = request.POST.get("edited_from", "")
        return _edited(request, user, pack_id, int(given) if given.isdecimal() and len(given) < 7 else newest.number)
    found = pack_or_404(pack_id)
    initial = {"title": found.title, "description": found.description, "entity": found.entity}
    return _form(request, PackEditForm(initial=initial, is_new=False), steps_of_pack(found), pack_id, newest.number)


def _reviewer(request: HttpRequest) -> User:
    user = access.current_user(request)
    rights.require_review(user)
    return user


def _edited(request: HttpRequest, user: User, pack_id: str, edited_from: int) -> HttpResponse:
    """One change of the steps, or the saving of it all; what was typed stays either way."""
    steps, act = steps_of(request.POST), request.POST.get("act", "save")
    form = PackEditForm(request.POST, is_new=not pack_id)
    if act != "save":
        steps, said = moved(steps, act, request.POST.get("add", ""))
        kept = {name: request.POST.get(name, "") for name in form.fields if name != "add"}
        return _form(request, PackEditForm(initial=kept, is_new=not pack_id), steps, pack_id, edited_from, said=said)
    if not form.is_valid():
        return _form(request, form, steps, pack_id, edited_from, status=422)
    try:
        version = packbook.save_pack(
            actor=user, slug=pack_id or form.cleaned_data["slug"], content=form.content(steps),
            change=form.cleaned_data.get("change", ""), edited_from=edited_from,
        )  # fmt: skip
    except ValidationError as error:
        form.take_errors(error)
        newest = PackVersion.objects.filter(saved__slug=pack_id).order_by("-number").first()
        conflict = getattr(error, "code", "") == "conflict" and newest is not None and bool(pack_id)
        number = newest.number if conflict and newest else edited_from
        return _form(request, form, steps, pack_id, number, status=422)
    messages.success(request, f"Version {version.number} of {version.content['title']} is kept.")
    return redirect("hunting:pack", version.saved.slug)


def _form(
    request: HttpRequest, form: PackEditForm, steps: list[StepRow], pack_id: str, edited_from: int, *, said: str = "",
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        "form": form, "rows": conditions(steps), "pack_id": pack_id, "edited_from": edited_from, "said": said,
        "here": reverse("hunting:pack_edit", args=[pack_id]) if pack_id else reverse("hunting:pack_new"),
    }  # fmt: skip
    partial = request.headers.get("HX-Target") == "pack-form"
    return render(request, "hunting/_pack_form.html" if partial else "hunting/pack_edit.html", context, status=status)


@require_POST
@login_required
def pack_retire(request: HttpRequest, pack_id: str) -> HttpResponse:
    user, saved = _reviewer(request), get_object_or_404(SavedPack, slug=pack_id)
    attempt(
        request, "The pack is retired: it is not offered any more.", lambda: packbook.retire(saved=saved, actor=user)
    )
    return redirect("hunting:pack", pack_id)


@require_POST
@login_required
def pack_restore(request: HttpRequest, pack_id: str) -> HttpResponse:
    user, saved = _reviewer(request), get_object_or_404(SavedPack, slug=pack_id)
    attempt(request, "The pack is back.", lambda: packbook.restore(saved=saved, actor=user))
    return redirect("hunting:pack", pack_id)


# --- on a case


def _pack_run_of(case: Case, uuid: UUID) -> PackRun:
    found: PackRun = get_object_or_404(PackRun.objects.select_related("requested_by"), case=case, uuid=uuid)
    return found


@require_GET
@login_required
def pack_run(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A pack at work: each step with its run, what it waits for, or why it was not run."""
    case = access.get_case(access.current_user(request), reference)
    [how] = packs.progress([_pack_run_of(case, uuid)])
    context = {"how": how, "case": case}
    if request.headers.get("HX-Target") == "pack-run":
        context["may_write"] = access.may(case, access.ANALYST) and case.is_open
        return render(request, "hunting/_pack_run.html", context)
    return render_tab(request, case, "hunts", "hunting/pack_run.html", context)


@require_POST
@login_required
def pack_run_stop(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    user, case = case_to_change(request, reference)
    found = _pack_run_of(case, uuid)
    found.case = case
    packs.stop(pack_run=found, actor=user)
    messages.info(request, "What waited is not run, and what ran is being cancelled.")
    return redirect("hunting:pack_run", reference, uuid)
