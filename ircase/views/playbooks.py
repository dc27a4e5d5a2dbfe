"""The library of playbooks: read, compared, reviewed, approved, exported."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from ircase import access, catalogue, libraries, shelf
from ircase.forms.playbooks import ReviewWordsForm
from ircase.models import Case, Phase, PlaybookVersion, SavedPlaybook, User
from ircase.nist import frameworks
from ircase.services.analysis.findings import clean
from ircase.services.phases import playbooks
from ircase.textdiff import side_by_side
from ircase.views.doors import attempt


@require_GET
@login_required
def library(request: HttpRequest) -> HttpResponse:
    """Every playbook, shipped and the team's own; retired ones where they are asked for."""
    user = access.current_user(request)
    found = shelf.entries()
    retired = request.GET.get("retired") == "1"
    rows = [entry for entry in found if (entry.stage == "retired") == retired]
    hidden = sum(entry.stage == "retired" for entry in found)
    context = {"rows": rows, "retired": retired, "hidden": hidden, "may_save": libraries.may_save(user)}
    return render(request, "playbooks/library.html", context)


@require_GET
@login_required
def playbook(request: HttpRequest, slug: str) -> HttpResponse:
    """One playbook: as it ships, or as one of its versions has it (`?version=`), else its newest."""
    user = access.current_user(request)
    cases = Case.objects.visible_to(user).filter(playbook=slug).order_by("-opened_at")
    plan: catalogue.Playbook | None = catalogue.playbooks().get(slug)
    more: dict[str, Any] = {}
    if plan is None:
        plan, more = _saved(request, user, slug)
    context = {
        "slug": slug,
        "plan": plan,
        "phases": _by_phase(plan) if plan else [],
        "yaml": catalogue.to_yaml(slug, plan.version, plan.content) if plan else "",
        "cases": cases[:10],
        "may_save": libraries.may_save(user),
        "words": frameworks(),
        **more,
    }
    return render(request, "playbooks/playbook.html", context)


def _by_phase(plan: catalogue.Playbook) -> list[tuple[Phase, list[catalogue.PlaybookItem]]]:
    groups = [(phase, [item for item in plan.items if item.phase == phase]) for phase in Phase]
    return [group for group in groups if group[1]]


def _saved(request: HttpRequest, user: User, slug: str) -> tuple[catalogue.Playbook | None, dict[str, Any]]:
    saved = get_object_or_404(SavedPlaybook.objects.select_related("created_by", "retired_by"), slug=slug)
    versions = list(saved.versions.select_related("author", "reviewed_by", "approved_by"))
    asked = request.GET.get("version", "")
    shown = _numbered(versions, asked) if asked else versions[0]
    shown.saved = saved
    plan = shelf.read(slug, shown)
    in_use = next((one.number for one in versions if one.approved_at), None) if saved.retired_at is None else None
    return plan, {
        "saved": saved,
        "version": shown,
        "versions": versions,
        "newest": versions[0],
        "in_use": in_use,
        "may_review": libraries.may_save(user),
        "may_approve": libraries.may_review(user),
        "may_retire": playbooks.may_retire(saved, user),
        "why_not": playbooks.why_not(shown, user),
        "review_form": ReviewWordsForm(),
    }


def _numbered(versions: list[PlaybookVersion], asked: str) -> PlaybookVersion:
    found = next((one for one in versions if str(one.number) == asked), None)
    if found is None:
        raise Http404("No such version.")
    return found


@require_GET
@login_required
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two versions side by side: item by item, what was added, taken away and changed."""
    saved = get_object_or_404(SavedPlaybook, slug=slug)
    versions = list(saved.versions.select_related("author"))
    after = _numbered(versions, request.GET.get("after", "") or str(versions[0].number))
    before = _numbered(versions, request.GET.get("before", "") or str(max(after.number - 1, 1)))
    context = {
        "slug": slug,
        "title": after.content.get("title", slug),
        "versions": versions,
        "before": before,
        "after": after,
        "heads": (f"Version {before.number}", f"Version {after.number}"),
        "parts": differences(before.content, after.content),
    }
    return render(request, "playbooks/compare.html", context)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What differs, a part each: the head, then every item by its key, in the order of `after`; moved items say so."""
    old, new = ({item["key"]: item for item in content.get("items", ())} for content in (before, after))
    heads = [{name: c.get(name) for name in ("title", "description", "roles", "packs")} for c in (before, after)]
    parts = [_part("What it is for", heads[0], heads[1], "changed")] if heads[0] != heads[1] else []
    for key in [*new, *(key for key in old if key not in new)]:
        left, right = old.get(key), new.get(key)
        if left != right:
            kind = "added" if left is None else "removed" if right is None else "changed"
            parts.append(_part(f"Item {key}", left, right, kind))
    both = [key for key in new if key in old]
    if [key for key in old if key in new] != both:
        parts.append(_part("Order of the items", [key for key in old if key in new], both, "changed"))
    return parts


def _part(label: str, left: Any, right: Any, kind: str) -> dict[str, Any]:
    return {"label": label, "kind": kind, "lines": side_by_side(_text(left), _text(right))}


def _text(value: Any) -> str:
    return catalogue.as_text(value) if value is not None else ""


@require_GET
@login_required
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """The playbook as a file, which an import reads again; `version` asks for another than the newest."""
    shipped = catalogue.playbooks().get(slug)
    if shipped is not None:
        number, content = shipped.version, shipped.content
    else:
        saved = get_object_or_404(SavedPlaybook, slug=slug)
        versions = list(saved.versions.all())
        chosen = _numbered(versions, request.GET.get("version", "") or str(versions[0].number))
        number, content = chosen.number, chosen.content
    response = HttpResponse(catalogue.to_yaml(slug, number, content), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}.yaml"'
    return response


def _version(request: HttpRequest, slug: str) -> PlaybookVersion:
    number = request.POST.get("version", "")
    rows = PlaybookVersion.objects.filter(saved__slug=slug).select_related("saved")
    found: PlaybookVersion = get_object_or_404(
        rows, number=int(number) if number.isdecimal() and len(number) < 7 else 0
    )
    return found


@require_POST
@login_required
def review(request: HttpRequest, slug: str) -> HttpResponse:
    user = access.current_user(request)
    playbooks.require_save(user)
    found, words = _version(request, slug), clean(request.POST.get("words", ""))
    attempt(
        request,
        f"Version {found.number} is reviewed. Somebody who leads a case, or an administrator, can approve it.",
        lambda: playbooks.review(version=found, actor=user, words=words),
    )
    return redirect("ircase:playbook", slug)


@require_POST
@login_required
def approve(request: HttpRequest, slug: str) -> HttpResponse:
    user = access.current_user(request)
    libraries.require_review(user)
    found = _version(request, slug)
    attempt(
        request,
        f"Version {found.number} is approved: new cases are given it.",
        lambda: playbooks.approve(version=found, actor=user),
    )
    return redirect("ircase:playbook", slug)


@require_POST
@login_required
def bring_back(request: HttpRequest, slug: str) -> HttpResponse:
    user = access.current_user(request)
    playbooks.require_save(user)
    found = _version(request, slug)
    attempt(
        request,
        f"Version {found.number} is back as the newest one, a draft.",
        lambda: playbooks.bring_back(version=found, actor=user),
    )
    return redirect("ircase:playbook", slug)


@require_POST
@login_required
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Retire it, or with `act=restore` bring it back."""
    user = access.current_user(request)
    playbooks.require_save(user)
    saved = get_object_or_404(SavedPlaybook, slug=slug)
    if request.POST.get("act") == "restore":
        attempt(request, "It is back.", lambda: playbooks.restore(saved=saved, actor=user))
    else:
        reason = clean(request.POST.get("reason", ""))
        attempt(request, "It is retired.", lambda: playbooks.retire(saved=saved, actor=user, reason=reason))
    return redirect("ircase:playbook", slug)
