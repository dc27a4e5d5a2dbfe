"""The tab: packs, hunts by entity, own KQL, and the runs of the case."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from hunting import catalogue, shelf
from hunting.access import may_save
from hunting.catalogue import Hunt, Pack, Review
from hunting.forms.running import KqlForm, PackForm, SweepForm, offered
from hunting.models import HuntRun, PackRun, Sweep
from hunting.services import packs, runs
from ircase import access
from ircase.models import FINAL_STATES, Case
from ircase.pages import render_tab
from ircase.services.writing import comments
from ircase.views.doors import case_to_change

PER_PAGE = 20
PACKS_SHOWN = 5
MOST_OF_A_KIND = 60
ENTITY_TITLES = {"device": "Devices", "account": "Accounts", "file": "Files", "tenant": "The tenant"}


@require_GET
@login_required
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    return render_panel(request, case)


def render_panel(
    request: HttpRequest, case: Case, bound: PackForm | None = None, status: int = 200, sweep: SweepForm | None = None
) -> HttpResponse:
    """The tab; `bound` and `sweep` are forms that came back with errors."""
    sources = runs.sources_of(case)
    shelved = sorted(shelf.packs().values(), key=_place)
    known = offered(case, shelved)
    forms = [
        bound if bound and bound.pack.id == pack.id else PackForm(pack=pack, case=case, sources=sources, known=known)
        for pack in shelved
    ]
    context: dict[str, Any] = {
        **_runs(request, case),
        "packs": forms,
        "open_packs": bound is not None,
        "groups": _groups(),
        "sweep_form": sweep or SweepForm(sources=sources, auto_id="sweep_%s"),
        "sweeps": Sweep.objects.filter(case=case).defer("entities")[:5],
        "may_save": may_save(access.current_user(request)),
        "kql_form": KqlForm(sources=sources, initial={"source": [runs.best_source(case).value]}),
    }
    return render_tab(request, case, "hunts", "hunting/panel.html", context, status=status)


def _place(pack: Pack) -> tuple[bool, int]:
    """What everybody knows comes first: the shipped packs, devices before accounts; the team's own are folded below."""
    return pack.id not in catalogue.packs(), list(ENTITY_TITLES).index(pack.entity)


def _groups() -> list[tuple[str, list[Hunt], int]]:
    """By entity: what somebody has read before drafts, MOST_OF_A_KIND at most, and how many there are."""
    library = sorted(shelf.hunts().values(), key=lambda hunt: hunt.review is Review.DRAFT)
    groups = [(title, [h for h in library if h.entity == entity]) for entity, title in ENTITY_TITLES.items()]
    return [(title, hunts[:MOST_OF_A_KIND], len(hunts)) for title, hunts in groups if hunts]


def _runs(request: HttpRequest, case: Case) -> dict[str, Any]:
    mine = HuntRun.objects.for_case(case)
    counted = mine.aggregate(all=Count("pk"), going_on=Count("pk", filter=~Q(state__in=FINAL_STATES)))
    found = mine.with_people().latest_first().defer("final_kql", "kql", "prelude")
    pages = Paginator(comments.counted(found, "run"), PER_PAGE)
    pages.count = counted["all"]
    page = pages.get_page(request.GET.get("page"))
    at_work = packs.progress(list(PackRun.objects.filter(case=case)[:PACKS_SHOWN]))
    busy = counted["going_on"] + sum(how.waiting for how in at_work)
    said = comments.beside(page, "run")
    return {"page": page, "busy": busy, "case": case, "pack_runs": at_work, "comment_counts": said}


@require_GET
@login_required
def run_list(request: HttpRequest, reference: str) -> HttpResponse:
    """The list of runs alone, which asks for itself while one of them is under way."""
    case = access.get_case(access.current_user(request), reference)
    return render(request, "hunting/_runs.html", _runs(request, case))


@require_POST
@login_required
def run_pack(request: HttpRequest, reference: str, pack_id: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    pack = shelf.packs().get(pack_id)
    if pack is None:
        raise Http404("No such pack.")
    form = PackForm(request.POST, pack=pack, case=case, sources=runs.sources_of(case), known=offered(case, [pack]))
    if not form.is_valid():
        return render_panel(request, case, form, status=422)
    try:
        queued = packs.queue_pack(
            case=case, actor=user, pack=pack, given=form.given, source=form.wanted_source, asset=form.asset
        )
    except ValidationError as error:
        form.take_errors(error)
        return render_panel(request, case, form, status=422)
    waiting = f"; {len(queued.waiting)} wait for another to have hits" if queued.waiting else ""
    messages.success(request, f"{pack.title}: {len(queued.runs)} of {len(pack.hunts)} hunts are queued{waiting}.")
    if queued.skipped:
        left_out = " ".join(f"{one.hunt.title}: {one.why}" for one in queued.skipped)
        messages.warning(request, f"Left out: {left_out}")
    return redirect("hunting:panel", case.reference)
