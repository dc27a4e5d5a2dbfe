"""Asking: a library hunt with its parameters, or a person's own KQL, always with the final text before it runs."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

import kql
from hunting import shelf
from hunting.access import may_save
from hunting.binding import AS_OF, MAX_KQL, Frozen, attach, attach_kql, fill
from hunting.catalogue import Hunt
from hunting.forms.running import HuntForm, KqlForm
from hunting.forms.running import as_of as moment_text
from hunting.models import HuntRun, Source
from hunting.services import runs, sources, supplies
from hunting.values import MAX_TEXT
from hunting.views.doors import run_of
from ircase.access import current_user, parse_uuid
from ircase.models import Asset, Case
from ircase.pages import render_tab
from ircase.views.doors import case_to_change


@require_http_methods(["GET", "POST"])
@login_required
def attach_hunt(request: HttpRequest, reference: str, hunt_id: str) -> HttpResponse:
    """The parameters, filled from the case; POST with `action=preview` shows the final text, anything else runs it."""
    user, case = case_to_change(request, reference)
    hunt = shelf.hunt(hunt_id)
    if hunt is None:
        raise Http404("No such hunt.")
    if hunt.retired:
        messages.error(request, f"{hunt.title} is retired: it is not run anew.")
        return redirect("hunting:hunt", hunt.id)
    usable = runs.sources_of(case)
    if request.method == "GET":
        initial = _initial(request.GET, case, hunt)
        form = HuntForm(hunt=hunt, sources=usable, initial=initial)
        values = {p.name: initial.get(p.name, form.fields[p.name].initial or "") for p in hunt.parameters}
        return _show_hunt(request, case, form, _try(hunt, values), [Source(one) for one in initial["source"]])
    form = HuntForm(request.POST, hunt=hunt, sources=usable)
    frozen = _frozen(form)
    if frozen is None or request.POST.get("action") == "preview":
        chosen = [Source(one) for one in form.cleaned_data.get("source", ())]
        return _show_hunt(request, case, form, frozen, chosen, status=200 if frozen else 422)
    try:
        queued = runs.queue_runs(case=case, actor=user, frozen=frozen, sources=form.wanted_sources)
    except ValidationError as error:
        form.take_errors(error)
        return _show_hunt(request, case, form, frozen, form.wanted_sources, status=422)
    return _to_runs(request, case, queued)


def _to_runs(request: HttpRequest, case: Case, queued: list[HuntRun]) -> HttpResponse:
    """Where a person waits for what was queued: the run's page, or that of the runs together."""
    first = queued[0]
    if first.batch is None:
        messages.success(request, f"{first.title} is queued.")
        return redirect("hunting:run", case.reference, first.uuid)
    messages.success(request, f"{first.title} is queued on {len(queued)} sources.")
    return redirect("hunting:batch", case.reference, first.batch)


def _initial(query: QueryDict, case: Case, hunt: Hunt) -> dict[str, Any]:
    """What the form begins with: an earlier run's values (`from`), or an asset's (`asset`), or what the case knows; a
    parameter that the address names has the value that it gives."""
    values: dict[str, Any] = {"source": [runs.best_source(case).value]}
    earlier, chosen = query.get("from", ""), query.get("asset", "")
    if earlier:
        run = run_of(case, parse_uuid(earlier))
        return values | {"source": [run.source]} | _lines({k: v for k, v in run.parameters.items() if k != AS_OF})
    asset = Asset.objects.filter(case=case, uuid=parse_uuid(chosen)).first() if chosen else None
    named = {p.name: query[p.name][:MAX_TEXT] for p in hunt.parameters if query.get(p.name)}
    return values | _lines(fill(hunt, case, asset=asset)) | named


def _lines(values: dict[str, Any]) -> dict[str, Any]:
    return {name: "\n".join(value) if isinstance(value, list) else value for name, value in values.items()}


def _try(hunt: Hunt, values: dict[str, Any]) -> Frozen | None:
    try:
        return attach(hunt=hunt, given=values)
    except ValidationError:
        return None


def _frozen(form: HuntForm) -> Frozen | None:
    if not form.is_valid():
        return None
    try:
        return attach(hunt=form.hunt, given=form.given)
    except ValidationError as error:
        form.take_errors(error)
        return None


def _show_hunt(
    request: HttpRequest, case: Case, form: HuntForm, frozen: Frozen | None, wanted: list[Source], status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "hunt": form.hunt,
        "form": form,
        "frozen": runs.as_asked(case, frozen, wanted[0]) if frozen and wanted else frozen,
        "known": [(p.name, _known(case, p.fill)) for p in form.hunt.parameters if p.fill and not p.kind.many],
        "lacking": [found for source in wanted if (found := _missing(case, form.hunt, source))],
    }
    return render_tab(request, case, "hunts", "hunting/attach.html", context, status=status)


def _missing(case: Case, hunt: Hunt, source: Source) -> dict[str, Any]:
    """What the page says of tables that the source lacks; nothing where it lacks none."""
    missing = sources.missing_tables(case, hunt, source)
    if not missing:
        return {}
    own, none = source == Source.CASE, len(missing) == len(hunt.tables)
    owner = "The case" if own else source.label
    if none and own:
        text = "Upload evidence that holds them and read it into tables, or run the hunt on the tenant. It needs:"
    elif none:
        text = "It would fail there. Choose another source, or read the schema again if they are new. It needs:"
    else:
        text = "The hunt runs without them, and the outcome will say so:" if own else "It may fail there. It lacks:"
    title = f"{owner} has none of this hunt's tables" if none else f"{owner} lacks some of this hunt's tables"
    return {"tables": missing, "title": title, "text": text, "tone": "danger" if none else "warn"}


def _known(case: Case, origin: str) -> list[str]:
    """What the case could fill in, offered while a person types."""
    kind, _, attribute = origin.removeprefix("asset.").partition(".")
    if not origin.startswith("asset."):
        return []
    return [value for value in case.assets.filter(kind=kind).values_list(attribute, flat=True)[:200] if value]


@require_http_methods(["GET", "POST"])
@login_required
def own_kql(request: HttpRequest, reference: str) -> HttpResponse:
    user, case = case_to_change(request, reference)
    usable = runs.sources_of(case)
    if request.method == "GET":
        initial = {"source": [runs.best_source(case).value]} | _kql_of(request.GET, case)
        return _show_kql(request, case, KqlForm(sources=usable, initial=initial))
    form = KqlForm(request.POST, sources=usable)
    frozen = _frozen_kql(form)
    problems = _problems(case, form, frozen)
    if frozen is None or problems or request.POST.get("action") == "preview":
        checked = frozen is not None and not problems
        return _show_kql(request, case, form, frozen, problems, status=200 if checked else 422)
    try:
        queued = runs.queue_runs(case=case, actor=user, frozen=frozen, sources=form.wanted_sources)
    except ValidationError as error:
        form.take_errors(error)
        return _show_kql(request, case, form, frozen, status=422)
    return _to_runs(request, case, queued)


def _kql_of(query: QueryDict, case: Case) -> dict[str, Any]:
    """What the form begins with: an earlier run's text (`from`), else what the address gives."""
    earlier = query.get("from", "")
    if not earlier:
        wanted = [one for one in query.getlist("source") if one in Source.values]
        return ({"source": wanted} if wanted else {}) | ({"kql": query["kql"][:MAX_KQL]} if "kql" in query else {})
    run = run_of(case, parse_uuid(earlier))
    # What stands before a text for the copies on a cluster is put there anew.
    own = run.source == Source.KUSTO_CASE and run.is_own_kql
    return {"kql": run.kql if own else run.final_kql, "title": run.title, "source": [run.source]}


def _frozen_kql(form: KqlForm) -> Frozen | None:
    if not form.is_valid():
        return None
    data = form.cleaned_data
    try:
        return attach_kql(kql=data["kql"], span=data["span"], as_of=moment_text(data["as_of"]), title=data["title"])
    except ValidationError as error:
        form.take_errors(error)
        return None


def _problems(case: Case, form: KqlForm, frozen: Frozen | None) -> tuple[kql.Diagnostic, ...]:
    """What the local engine says before it runs. A tenant's own tables and functions are its own to judge."""
    if frozen is None or Source.CASE not in form.wanted_sources:
        return ()
    given, _ = sources.tables_for(case, None)
    return kql.validate(frozen.kql, given, supplies=supplies.offered(case, frozen.kql))


def _show_kql(
    request: HttpRequest,
    case: Case,
    form: KqlForm,
    frozen: Frozen | None = None,
    problems: tuple[kql.Diagnostic, ...] = (),
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "frozen": frozen,
        "problems": problems,
        "tables": sources.names_of(case),
        "may_save": may_save(current_user(request)),
    }
    return render_tab(request, case, "hunts", "hunting/own_kql.html", context, status=status)
