"""The report tab: what is missing, building, reading over, signing off, and the files that were built."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms import masks
from ircase.forms.reports import AnswersForm, BuildForm
from ircase.models import Case, CaseRole, LogEntry, NotificationFact, ReportBuild, ReportKind
from ircase.pages import render_tab
from ircase.redaction import Redaction
from ircase.report import regimes
from ircase.services import reports
from ircase.services.reporting import notifying, signoff
from ircase.services.vault import delivery
from ircase.services.writing import redacting
from ircase.views.doors import attempt, case_to_change, say_errors

PER_PAGE = 20
MOST_TAKEN = 50
CONTEXT = 2


@dataclass(frozen=True)
class Choice:
    """What report is looked at before it is built."""

    kind: str
    regime: str
    stage: str


def _choice(request: HttpRequest) -> Choice:
    asked = request.POST if request.method == "POST" else request.GET
    kind = asked.get("kind", "")
    kind = kind if kind in ReportKind.values else ReportKind.TECHNICAL.value
    if kind != ReportKind.NOTIFICATION:
        return Choice(kind, "", "")
    known = regimes.regimes()
    regime = asked.get("regime", "") if asked.get("regime") in known else next(iter(known))
    stage = asked.get("stage", "")
    return Choice(kind, regime, stage if stage in regimes.STAGES else regimes.STAGES[0])


def _gaps(case: Case, choice: Choice) -> list[reports.Gap]:
    found = reports.gaps(case, choice.kind)
    if choice.kind == ReportKind.NOTIFICATION:
        rows = regimes.answers(case, choice.regime, choice.stage)
        asked = [reports.Gap(row.label, "ircase:report_answers", True) for row in rows if not row.answer]
        return [*asked, *found]
    return found


@login_required
@require_http_methods(["GET", "POST"])
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    """What the report lacks and which were built; a POST builds one. A closed case can still be reported on."""
    user, choice = access.current_user(request), _choice(request)
    needs = access.ANALYST if request.method == "POST" else access.VIEWER
    case = access.get_case(user, reference, needs)
    gaps = _gaps(case, choice)
    if "take" in request.POST:
        form = _form(case, choice)
        masks.take(form, request.POST, between="\n")
        return render_tab(request, case, "report", "report/panel.html", _panel(request, case, choice, gaps, form))
    if request.method == "POST":
        form = BuildForm(request.POST, case=case, kind=choice.kind)
        if form.is_valid():
            missing = [gap.text for gap in gaps]
            attempt(
                request,
                "The report is being built.",
                lambda: reports.request_report(case=case, actor=user, wanted=form.wanted(), missing=missing),
            )
        else:
            say_errors(request, {name: [str(one) for one in errors] for name, errors in form.errors.items()})
        return redirect("ircase:report", reference)
    return render_tab(
        request, case, "report", "report/panel.html", _panel(request, case, choice, gaps, _form(case, choice))
    )


def _form(case: Case, choice: Choice) -> BuildForm:
    return BuildForm(case=case, kind=choice.kind, initial={"regime": choice.regime, "stage": choice.stage})


def _panel(
    request: HttpRequest, case: Case, choice: Choice, gaps: list[reports.Gap], form: BuildForm
) -> dict[str, Any]:
    builds = ReportBuild.objects.filter(case=case).select_related("requested_by", "evidence", "activity", "final_of")
    page = Paginator(builds.select_related("final"), PER_PAGE).get_page(request.GET.get("page"))
    changed = reports.changed_at(case) if page.paginator.count else 0
    for build in page.object_list:
        build.superseded = _superseded(build, changed)
    return {
        "gaps": gaps,
        "choice": choice,
        "kinds": ReportKind.choices,
        "form": form,
        "suggested": masks.left(redacting.suggested_words(case), form),
        "page": page,
        "may_build": access.may(case, access.ANALYST),
        "may_lead": access.may(case, access.LEAD),
    }


def _superseded(build: ReportBuild, changed: int) -> bool:
    return build.is_done and build.log_sequence < changed


def _find(
    request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER
) -> tuple[Case, ReportBuild]:
    case = access.get_case(access.current_user(request), reference, needs)
    found: ReportBuild = get_object_or_404(
        ReportBuild.objects.select_related("requested_by", "evidence", "activity", "final_of", "final"),
        case=case,
        uuid=uuid,
    )
    found.case = case
    return case, found


@login_required
@require_GET
def build(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One build; for htmx with `?part=1` only its row, which polls until it is final."""
    case, found = _find(request, reference, uuid)
    found.superseded = _superseded(found, reports.changed_at(case))
    context = {"build": found, "case": case, "may_build": access.may(case, access.ANALYST)}
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "report/_build.html", context)
    return render_tab(request, case, "report", "report/build.html", context | _about(request, case, found))


def _about(request: HttpRequest, case: Case, found: ReportBuild) -> dict[str, Any]:
    user = access.current_user(request)
    taken = LogEntry.objects.filter(case=case, action="report.downloaded", detail__build=str(found.uuid))
    earlier = ReportBuild.objects.filter(case=case, kind=found.kind, regime=found.regime, state="done")
    signed = getattr(found, "signed", None)
    is_draft = found.is_done and not found.is_final_version and not hasattr(found, "final")
    reviews = list(found.reviews.select_related("by"))
    return {
        "reviews": reviews,
        "signed": signed,
        "signature_holds": signoff.holds(signed, found.downloads) if signed else False,
        "may_review": is_draft and access.may(case, access.ANALYST) and found.requested_by_id != user.pk,
        "may_sign": is_draft and access.may(case, access.LEAD) and case.is_open,
        "accepted": bool(reviews) and reviews[-1].answer == "accepted",
        "is_draft": is_draft,
        "taken": taken.order_by("-sequence")[:MOST_TAKEN],
        "before": earlier.filter(number__lt=found.number, final_of=None).order_by("-number").first(),
        "redaction": Redaction.from_json(found.redaction).sentence,
    }


@login_required
@require_GET
def changes(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """What is other than in the report of the same kind before it."""
    case, found = _find(request, reference, uuid)
    said = reports.changes(found, context=CONTEXT)
    context = {
        "build": found,
        "before": said.before,
        "lines": said.lines,
        "heads": (said.before.label if said.before else "", found.label),
    }
    return render_tab(request, case, "report", "report/changes.html", context)


@login_required
@require_POST
def review(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A second person's answer to a draft."""
    _, found = _find(request, reference, uuid, access.ANALYST)
    user = access.current_user(request)
    answer, words = request.POST.get("answer", ""), request.POST.get("words", "")
    attempt(
        request, "Your answer is kept.", lambda: signoff.review(build=found, actor=user, answer=answer, words=words)
    )
    return redirect("ircase:report", reference, uuid)


@login_required
@require_POST
def sign(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """A lead signs a draft off: its signed version is made."""
    _, found = _find(request, reference, uuid, access.LEAD)
    user = access.current_user(request)
    attempt(request, "The signed version is being made.", lambda: signoff.sign_off(build=found, actor=user))
    return redirect("ircase:report", reference)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    _, found = _find(request, reference, uuid, access.ANALYST)
    reports.cancel(build=found, actor=access.current_user(request))
    messages.info(request, "The report stops.")
    return redirect("ircase:report", reference)


@login_required
@require_http_methods(["GET", "POST"])
def answers(request: HttpRequest, reference: str) -> HttpResponse:
    """What an authority asks for, field by field; a POST keeps what was written."""
    choice = _choice(request)
    if choice.kind != ReportKind.NOTIFICATION:
        choice = Choice(ReportKind.NOTIFICATION, next(iter(regimes.regimes())), regimes.STAGES[0])
    if request.method == "POST":
        user, case = case_to_change(request, reference)
    else:
        user = access.current_user(request)
        case = access.get_case(user, reference)
    rows = regimes.answers(case, choice.regime, choice.stage)
    written = dict(NotificationFact.objects.filter(case=case).exclude(text="").values_list("field", "text"))
    form = AnswersForm(request.POST if request.method == "POST" else None, rows=rows, written=written)
    if request.method == "POST" and form.is_valid():
        attempt(
            request,
            "Kept.",
            lambda: notifying.answer(
                case=case, actor=user, answers=form.cleaned_data, known=frozenset(regimes.fields())
            ),
        )
        query = f"?kind={choice.kind}&regime={choice.regime}&stage={choice.stage}"
        return redirect(reverse("ircase:report_answers", args=[reference]) + query)
    context = {
        "form": form,
        "choice": choice,
        "regime": regimes.regimes()[choice.regime],
        "stage": regimes.regimes()[choice.regime].stages[choice.stage],
        "regimes": regimes.regimes().values(),
        "open": sum(1 for row in rows if not row.answer),
        "may_write": access.may(case, access.ANALYST) and case.is_open,
    }
    return render_tab(request, case, "report", "report/answers.html", context)


@login_required
@require_POST
def key(request: HttpRequest, reference: str) -> HttpResponse:
    """Who is who in the case's masked documents: for its leads alone, and each look is logged."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    return render_tab(request, case, "report", "report/key.html", {"keys": redacting.key_table(case=case, actor=user)})


@login_required
@require_GET
def download(request: HttpRequest, reference: str, uuid: UUID, kind: str) -> HttpResponseBase:
    """One of the files, as a download; the log keeps who took it."""
    _, found = _find(request, reference, uuid)
    if kind not in reports.FORMATS:
        raise Http404("No such format.")
    try:
        chunks, name, size = reports.open_file(build=found, kind=kind, actor=access.current_user(request))
    except reports.ReportFileGone as error:
        messages.error(request, str(error))
        return redirect("ircase:report", reference)
    return delivery.attachment(chunks, name=name, size=size)
