"""The library: what can be asked, what a hit means, how it was used, and every version of what the team saved."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from hunting import access as rights
from hunting import shelf
from hunting.catalogue import Hunt, Review
from hunting.forms.hunts import content_of, fill_choices
from hunting.models import HuntRun, HuntVersion, SavedHunt, Usage
from hunting.services import library as saving
from hunting.views.panel import ENTITY_TITLES
from ircase import access, attack
from ircase.models import Case, CaseRole, User
from ircase.textdiff import Line, changed, side_by_side

PER_PAGE: Final = 100
LAST_RUNS: Final = 10
HERE: Final = "-"
"""The origin of what was written here, in the filter's address."""

REVIEWS: Final = (
    (Review.SHIPPED, "Shipped with IRCase"), (Review.APPROVED, "Approved"), (Review.DRAFT, "Draft"),
    (Review.RETIRED, "Retired"),
)  # fmt: skip
_FIELDS: Final = (
    ("title", "Title"), ("description", "Description"), ("entity", "About"), ("sources", "Runs on"),
    ("tables", "Reads"), ("parameters", "Parameters"), ("require_any", "One of these needs a value"),
    ("time_column", "Time column"), ("techniques", "Techniques"), ("meaning", "What a hit means"),
    ("false_positives", "Honest reasons for a hit"), ("references", "References"), ("kql", "Query"),
)  # fmt: skip


@require_GET
@login_required
def library(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    names = ("q", "entity", "technique", "review", "origin")
    chosen = {name: request.GET.get(name, "")[:200].strip() for name in names}
    everything = shelf.hunts(retired=True).values()
    found = shelf.search(
        chosen["q"], chosen["entity"], chosen["technique"].upper(), chosen["review"], chosen["origin"]
    )  # fmt: skip
    usage = HuntRun.objects.seen_by(user).usage()
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    used = sorted({t for hunt in everything for t in hunt.techniques})
    context = {
        "page": page,
        "rows": [{"hunt": hunt, "usage": usage.get(hunt.id, Usage())} for hunt in page],
        "packs": shelf.packs().values(),
        "chosen": chosen,
        "filtered": any(chosen.values()),
        "entities": list(ENTITY_TITLES.items()),
        "reviews": [(value.value, label) for value, label in REVIEWS],
        "origins": [(HERE, "Written here"), *((o, o) for o in sorted({h.origin for h in everything if h.origin}))],
        "techniques": [attack.techniques().get(t, t) for t in used],
        "total": sum(not hunt.retired for hunt in everything),
        "may_save": rights.may_save(user),
        "may_review": rights.may_review(user),
    }
    return render(request, "hunting/library.html", context)


@require_GET
@login_required
def hunt(request: HttpRequest, hunt_id: str) -> HttpResponse:
    """A hunt as it is now."""
    found = shelf.hunt(hunt_id)
    if found is None:
        raise Http404("No such hunt.")
    return _show(request, found, found.version)


@require_GET
@login_required
def hunt_version(request: HttpRequest, hunt_id: str, number: int) -> HttpResponse:
    """A hunt as one of its versions has it."""
    now, found = shelf.hunt(hunt_id), shelf.hunt_version(hunt_id, number)
    if now is None or found is None:
        raise Http404("No such version.")
    return _show(request, found, now.version)


def _show(request: HttpRequest, found: Hunt, newest: int) -> HttpResponse:
    user = access.current_user(request)
    runs = HuntRun.objects.seen_by(user).filter(hunt_id=found.id)
    words = {name: text for name, text in fill_choices() if name}
    context = {
        "hunt": found,
        "newest": newest,
        "entity_title": ENTITY_TITLES[found.entity],
        "review_label": dict(REVIEWS)[found.review],
        "parameters": [(one, words.get(one.fill, one.fill)) for one in found.parameters],
        "techniques": [attack.techniques().get(t, t) for t in found.techniques],
        "packs": [pack for pack in shelf.packs().values() if found.id in [one.id for one in pack.hunts]],
        "usage": runs.usage().get(found.id, Usage()),
        "runs": runs.with_people().select_related("case").latest_first()[:LAST_RUNS],
        "cases": [] if found.retired else _cases(user),
        "may_save": rights.may_save(user),
        **(_saved(found, user) if found.saved else {}),
    }
    return render(request, "hunting/hunt.html", context)


def _saved(found: Hunt, user: User) -> dict[str, Any]:
    saved = get_object_or_404(SavedHunt.objects.select_related("created_by", "retired_by"), slug=found.id)
    versions = list(saved.versions.select_related("author", "approved_by").defer("content"))
    shown = next((one for one in versions if one.number == found.version), None)
    if shown is None:
        raise Http404("No such version.")
    shown.saved = saved
    may_review = rights.may_review(user)
    return {
        "saved": saved,
        "version": shown,
        "versions": versions,
        "may_review": may_review,
        "may_retire": saving.may_retire(saved, user),
        "why_not": saving.why_not_approve(shown, user) if may_review else "",
    }


def _cases(user: User) -> list[Case]:
    """Open cases this person may hunt in, for the button that takes the hunt there."""
    roles = (CaseRole.ANALYST, CaseRole.LEAD)
    mine = Case.objects.visible_to(user).filter(closed_at=None, members__user=user, members__role__in=roles)
    return list(mine.order_by("-opened_at")[:20])


@require_GET
@login_required
def hunt_compare(request: HttpRequest, hunt_id: str) -> HttpResponse:
    """Two versions (`before`, `after`) side by side; the newest against the one before it where none is named."""
    versions = list(HuntVersion.objects.filter(saved__slug=hunt_id).select_related("author", "saved"))
    if not versions:
        raise Http404("No such hunt, or one without versions.")
    by_number = {one.number: one for one in versions}
    after = by_number.get(_number(request, "after"), versions[0])
    before = by_number.get(_number(request, "before"), by_number.get(after.number - 1, after))
    fields = compared(before.content, after.content)
    context = {
        "hunt_id": hunt_id,
        "title": versions[0].content["title"],
        "versions": versions,
        "before": before,
        "after": after,
        "fields": [one for one in fields if one["changed"]],
        "same": [one["label"] for one in fields if not one["changed"]],
        "heads": (f"Version {before.number}", f"Version {after.number}"),
    }
    return render(request, "hunting/hunt_compare.html", context)


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every key of a hunt's content: its label, whether it differs, and the two texts line by line."""
    found = []
    for key, label in _FIELDS:
        lines: list[Line] = side_by_side(_text(key, before.get(key)), _text(key, after.get(key)))
        found.append({"key": key, "label": label, "lines": lines, "changed": changed(lines)})
    return found


def _text(key: str, value: Any) -> str:
    if key == "parameters":
        return "\n".join(_parameter(one) for one in value or ())
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _parameter(one: Mapping[str, Any]) -> str:
    said = [f"{one['name']}: {one['type']}"]
    said += ["needed"] if one.get("required") else []
    said += [f"default {one['default']}"] if one.get("default") not in (None, "", []) else []
    said += [f"filled from {one['fill']}"] if one.get("fill") else []
    return ", ".join(said + ([one["help"]] if one.get("help") else []))


@require_GET
@login_required
def hunt_export(request: HttpRequest, hunt_id: str) -> HttpResponse:
    """The hunt as a file of the library (docs/adding-a-hunt.md), a version of it where `version` names one."""
    number = _number(request, "version")
    found = shelf.hunt_version(hunt_id, number) if number else shelf.hunt(hunt_id)
    if found is None:
        raise Http404("No such hunt.")
    response = HttpResponse(as_yaml(found), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.id}.yaml"'
    return response


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, which people read; YAML itself falls back to quotes where a block would not
    give the same text again."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # YAML 1.1 takes these for ends of lines and would give a blank for them: https://yaml.org/spec/1.1/#id871136
    odd = any(letter in text for letter in "\r\x85\u2028\u2029\ufeff")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else "|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def as_yaml(found: Hunt) -> str:
    """What hunting.importing reads again, byte for byte the same text."""
    content = content_of(found)
    keys: Iterable[str] = ("title", "description", "entity", "sources", "tables", "parameters", "require_any", "kql")
    ordered = {key: content.pop(key) for key in keys if key in content}
    document = {"id": found.id, "version": found.version, **ordered, **content}
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))
