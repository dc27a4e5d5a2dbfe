"""A file of a case: what Defender says, where it stands, what the team thinks of it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.models import Case
from ircase.pages import render_tab
from ircase.views.doors import attempt, case_to_change
from liveresponse.forms.files import AnalysisForm, FileVerdictForm, FindFileForm
from liveresponse.models import FileAnalysis, Lookup
from liveresponse.services import analyses, lookups, occurrences
from liveresponse.services import files as services
from liveresponse.services.files import FILE_KINDS
from liveresponse.views.answers import shown

MOST = 200


def _digest(text: str) -> str:
    try:
        return lookups.clean_hash(text)
    except ValidationError:
        raise Http404("No such file.") from None


@login_required
@require_GET
def files(request: HttpRequest, reference: str) -> HttpResponse:
    """The files of the case by their hashes, and the analyses."""
    case = access.get_case(access.current_user(request), reference)
    wanted = FindFileForm(request.GET or None)
    if request.GET.get("hash") and wanted.is_valid():
        return redirect("liveresponse:file", case.reference, wanted.cleaned_data["hash"])
    return page(request, case, find_form=wanted if request.GET.get("hash") else FindFileForm())


def page(request: HttpRequest, case: Case, **forms: object) -> HttpResponse:
    """The page of files; a form that came back with errors among `forms`."""
    hashes = case.indicators.filter(kind__in=FILE_KINDS).select_related("added_by").order_by("-added_at")
    asked = Lookup.objects.for_case(case).filter(kind=Lookup.Kind.FILE).select_related("requested_by")
    read = FileAnalysis.objects.for_case(case).select_related("evidence", "requested_by").defer("document")
    context = {
        "indicators": hashes[:MOST],
        "lookups": asked[:MOST],
        "analyses": read[:MOST],
        "exhibits": analyses.candidates(case),
        "find_form": FindFileForm(),
        "analysis_form": AnalysisForm(),
        **forms,
    }
    failed = any(getattr(form, "errors", None) for form in forms.values())
    return render_tab(request, case, "entities", "liveresponse/files.html", context, status=422 if failed else 200)


@login_required
@require_GET
def file(request: HttpRequest, reference: str, digest: str) -> HttpResponse:
    """One file. `?part=answers` is what the page polls while Defender is asked, `?part=tables` its rows."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    known = services.known(case, _digest(digest))
    context = _context(known)
    if request.GET.get("part") == "answers":
        may_write = access.may(case, access.ANALYST) and case.is_open
        return render(request, "liveresponse/_answers.html", {"case": case, "may_write": may_write, **context})
    if request.GET.get("part") == "tables":
        found = occurrences.find(case, user, known.hashes.values())
        return render(request, "liveresponse/_found.html", {"case": case, "found": found})
    return _file_page(request, case, known, context)


def _context(known: services.KnownFile) -> dict[str, Any]:
    return {
        "file": known,
        "lookup": known.lookup,
        "answers": shown(known.lookup),
        "key": known.digest,
        "asks": "liveresponse:file_ask",
        "seals": "liveresponse:file_seal",
    }


def _file_page(
    request: HttpRequest, case: Case, known: services.KnownFile, context: dict[str, Any], form: object = None
) -> HttpResponse:
    indicator = known.indicator
    initial = {"verdict": indicator.verdict, "reason": indicator.verdict_reason} if indicator else {}
    context |= {
        "indicator": indicator,
        "judged": services.judged(indicator),
        "verdict_form": form or FileVerdictForm(initial=initial),
    }
    return render_tab(
        request, case, "entities", "liveresponse/file.html", context, status=422 if form is not None else 200
    )


@login_required
@require_POST
def file_ask(request: HttpRequest, reference: str, digest: str) -> HttpResponse:
    """Have Defender asked, or asked again."""
    user, case = case_to_change(request, reference)
    found = _digest(digest)
    attempt(request, "Defender is being asked.", lambda: lookups.ask(case=case, actor=user, kind="file", key=found))
    return redirect("liveresponse:file", case.reference, found)


@login_required
@require_POST
def file_seal(request: HttpRequest, reference: str, digest: str) -> HttpResponse:
    """Keep the answers as evidence."""
    user, case = case_to_change(request, reference)
    found = _digest(digest)
    lookup = services.known(case, found).lookup
    if lookup is None:
        raise Http404("Defender was not asked about this file.")
    attempt(request, "The answers are sealed as evidence.", lambda: lookups.seal(lookup=lookup, actor=user))
    return redirect("liveresponse:file", case.reference, found)


@login_required
@require_POST
def file_indicator(request: HttpRequest, reference: str, digest: str) -> HttpResponse:
    """The hash as an indicator, in one click."""
    user, case = case_to_change(request, reference)
    indicator, new = services.make_indicator(case=case, actor=user, digest=_digest(digest))
    messages.success(request, f"{indicator.value} is {'now' if new else 'already'} an indicator of the case.")
    return redirect("liveresponse:file", case.reference, indicator.value)


@login_required
@require_POST
def file_verdict(request: HttpRequest, reference: str, digest: str) -> HttpResponse:
    """The team's verdict, with its reason."""
    user, case = case_to_change(request, reference)
    found = _digest(digest)
    form = FileVerdictForm(request.POST)
    if not form.is_valid():
        known = services.known(case, found)
        return _file_page(request, case, known, _context(known), form)
    indicator = services.judge(case=case, actor=user, digest=found, **form.cleaned_data)
    messages.success(request, f"The file is judged: {indicator.get_verdict_display().lower()}.")
    return redirect("liveresponse:file", case.reference, found)
