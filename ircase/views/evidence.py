"""The evidence tab: exhibits in and out, their custody, and what was read from them."""

from datetime import datetime
from functools import partial
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from artifacts.choices import Choice
from ircase import access, jobs
from ircase.forms.evidence import UploadForm
from ircase.forms.handling import MarkForm, PasswordForm
from ircase.forms.typing import LayoutForm, TypesForm
from ircase.models import Case, CaseRole, Evidence, ParseJob
from ircase.pages import render_tab
from ircase.services import evidence
from ircase.services.analysis import interpreting, tables
from ircase.services.transfer import resumable, uploads
from ircase.services.vault import delivery, handling, holds, packing, quotas, verification
from ircase.services.writing import comments
from ircase.views.doors import attempt, case_to_change
from ircase.views.previews import tabs_of

PER_PAGE = 50
# Above this a worker hashes: a request must not be held for as long as gigabytes take.
HASH_AT_ONCE = 64 * 2**20


@csrf_exempt  # `_upload` checks it, after the handler that takes the files is in place
@login_required
@require_http_methods(["GET", "POST"])
def panel(request: HttpRequest, reference: str) -> HttpResponse:
    """The exhibits of the case; a POST hands in more."""
    if request.method == "GET":
        return _show(request, access.get_case(access.current_user(request), reference))
    _, case = case_to_change(request, reference)
    try:
        files = uploads.receive(request, case)
    except (ValidationError, RequestDataTooBig) as error:
        return _show(request, case, "; ".join(getattr(error, "messages", [str(error)])))
    response: HttpResponse = _upload(request, case, files)
    return response


@csrf_protect
def _upload(request: HttpRequest, case: Case, files: list[uploads.Upload]) -> HttpResponse:
    form = UploadForm(request.POST)
    description = form.cleaned_data["description"] if form.is_valid() else ""
    outcome = uploads.seal_all(
        case=case,
        actor=access.current_user(request),
        files=files,
        description=description,
        read="read" in request.POST,
    )
    for item in outcome.sealed:
        empty = "" if item.size else " It is empty: 0 bytes arrived."
        messages.success(request, f"{item.exhibit} {item.name} is sealed.{empty}")
    for problem in outcome.problems:
        messages.error(request, problem)
    return redirect("ircase:evidence", case.reference)


def _show(request: HttpRequest, case: Case, problem: str = "") -> HttpResponse:
    found = _wanted(case, request.GET.get("q", ""), request.GET.get("kind", ""))
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    made = case.tables.select_related("evidence").order_by("name", "pk")
    return render_tab(
        request,
        case,
        "evidence",
        "evidence/panel.html",
        {
            "page": page,
            "comment_counts": comments.counts(case, {"evidence": [one.uuid for one in page]}),
            "q": request.GET.get("q", ""),
            "kind": request.GET.get("kind", ""),
            "kinds": Evidence.Kind.choices,
            "form": UploadForm(),
            "problem": problem,
            "usage": quotas.usage_of(case),
            "uploads": resumable.unfinished(case, access.current_user(request)),
            "tables": made.filter(queryable=True),
            "results": made.filter(queryable=False),
        },
        status=422 if problem else 200,
    )


def _wanted(case: Case, text: str, kind: str) -> QuerySet[Evidence]:
    found = Evidence.objects.filter(case=case).select_related("sealed_by", "parse_job")
    found = found.annotate(table_count=Count("tables", distinct=True), table_rows=Sum("tables__row_count"))
    found = found.order_by("number")
    if kind in Evidence.Kind.values:
        found = found.filter(kind=kind)
    if text:
        digest = text.strip().lower()
        named = Q(name__icontains=text) | Q(description__icontains=text) | Q(sha256__startswith=digest)
        found = found.filter(named | Q(kind__in=Evidence.RECORDS, manifest__stated_sha256__startswith=digest))
    return found


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> Evidence:
    case = access.get_case(access.current_user(request), reference, needs)
    known = Evidence.objects.select_related("sealed_by", "parse_job").annotate(kept_because=holds.keeping())
    item: Evidence = get_object_or_404(known, case=case, uuid=uuid)
    item.case = case
    return item


@login_required
@require_GET
def item(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One exhibit: manifest, custody, what was made from it. With `?checking=` only the state, until it is checked."""
    found = _find(request, reference, uuid)
    asked = _moment(request.GET.get("checking", ""))
    if request.headers.get("HX-Request") and asked is not None:
        may_write = access.may(found.case, access.ANALYST)
        return render(request, "evidence/_integrity.html", {**_integrity(found, asked), "may_write": may_write})
    custody, head = verification.custody_with_head(found)
    context = {
        "item": found,
        "job": getattr(found, "parse_job", None),
        "custody": custody,
        "custody_faults": list(verification.custody_of(found, custody, head)),
        "activities": found.activities.select_related("requested_by"),
        "destroyed_by": found.destructions.exclude(begun_at=None).first() if found.is_destroyed else None,
        "manifest_ok": evidence.manifest_digest(found.manifest) == found.manifest_sha256,
        **_integrity(found, asked),
        **({} if found.is_destroyed else _handling(found)),
    }
    return render_tab(request, found.case, "evidence", "evidence/item.html", context)


def _handling(found: Evidence) -> dict[str, object]:
    rule = handling.rule_of(found)
    mark = rule.handling.mark
    return {
        "rule": rule,
        "tabs_of_item": tabs_of(found, list(rule.handling.looks)),
        "password_form": PasswordForm(),
        "mark_form": MarkForm(initial={"mark": mark or ("safe" if rule.packed else "malicious")}),
        "usual_password": packing.PASSWORD,
    }


def _integrity(found: Evidence, asked: datetime | None) -> dict[str, object]:
    waits = asked is not None and (found.checked_at is None or found.checked_at < asked)
    return {"item": found, "case": found.case, "waits": waits, "asked": asked}


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


@login_required
@require_http_methods(["GET", "POST"])
def download(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The bytes, as a download and nothing else; what could do harm in a zip. A POST wants the zip, under a password of
    the person's choice."""
    found = _find(request, reference, uuid)
    try:
        password = request.POST.get("password", "") if request.method == "POST" else None
        return delivery.response(found, actor=access.current_user(request), password=password)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:evidence_item", reference, uuid)
    except (delivery.FileGone, evidence.StoreError) as error:
        messages.error(request, str(error))
        return redirect("ircase:evidence_item", reference, uuid)


@login_required
@require_POST
def verify(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Hash the file again: at once, or by a worker where it is large."""
    found = _find(request, reference, uuid, access.ANALYST)
    user = access.current_user(request)
    page = reverse("ircase:evidence_item", args=[reference, uuid])
    if found.size > HASH_AT_ONCE:
        asked = timezone.now().isoformat()
        jobs.enqueue("ircase.verify_evidence", found.pk, user.pk)
        return redirect(f"{page}?{urlencode({'checking': asked})}")
    try:
        state = evidence.verify(found, actor=user)
    except evidence.StoreError as error:
        messages.error(request, f"{found.exhibit} could not be verified. {error}")
        return redirect(page)
    if state == Evidence.Integrity.DESTROYED:
        messages.info(request, f"{found.exhibit} was destroyed; its custody and a certificate say so.")
    elif state == Evidence.Integrity.VERIFIED and found.is_record:
        messages.success(request, f"{found.exhibit}: its record is what was sealed. The thing itself is not here.")
    elif state == Evidence.Integrity.VERIFIED:
        messages.success(request, f"{found.exhibit} is verified: the bytes and the manifest are what was sealed.")
    else:
        messages.error(request, f"{found.exhibit} is {state.label}. The case says so on every page; tell its lead.")
    return redirect(page)


@login_required
@require_POST
def read(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Read the exhibit into tables, or read it again."""
    user, case = case_to_change(request, reference)
    found = get_object_or_404(Evidence.objects.select_related("case"), case=case, uuid=uuid)
    if found.kind == Evidence.Kind.REPORT:
        messages.error(request, "A report holds no rows to read.")
        return redirect("ircase:evidence_item", reference, uuid)
    try:
        job = tables.queue_parse(evidence=found, actor=user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:evidence_item", reference, uuid)
    return redirect("ircase:import", reference, job.uuid)


def _find_job(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> ParseJob:
    case = access.get_case(access.current_user(request), reference, needs)
    job: ParseJob = get_object_or_404(
        ParseJob.objects.select_related("evidence", "activity__requested_by"), evidence__case=case, uuid=uuid
    )
    job.evidence.case = case
    return job


@login_required
@require_GET
def import_job(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """How far the reading of an exhibit is, what could not be read, and the tables that came of it."""
    job = _find_job(request, reference, uuid)
    case = job.evidence.case
    context = {"job": job, "item": job.evidence, "case": case, "tables": job.evidence.tables.all()}
    if request.headers.get("HX-Request") and "part" in request.GET:
        may_write = access.may(case, access.ANALYST)
        return render(request, "evidence/_import.html", {**context, "may_write": may_write})
    return render_tab(request, case, "evidence", "evidence/import.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def import_types(request: HttpRequest, reference: str, uuid: UUID, number: int) -> HttpResponse:
    """One file of rows as it was found, and how it shall be read: a POST keeps that and has it read again."""
    job = _find_job(request, reference, uuid)
    if request.method == "POST":
        case_to_change(request, reference)
    found = next((one for one in interpreting.found(job) if one.number == number), None)
    if found is None:
        raise Http404("The evidence holds no such file of rows.")
    action = request.POST.get("action", "")
    layout = LayoutForm(request.POST if action == "layout" else None, shape=found.shape)
    types = TypesForm(request.POST if action == "types" else None, shape=found.shape, choice=found.choice)
    choice = _chosen(action, found, layout, types)
    if choice is not None and _choose(request, job, choice):
        return redirect("ircase:import", reference, uuid)
    context = {"job": job, "item": job.evidence, "found": found, "layout": layout, "types": types}
    status = 422 if request.method == "POST" else 200
    return render_tab(request, job.evidence.case, "evidence", "evidence/types.html", context, status=status)


def _chosen(action: str, found: interpreting.Found, layout: LayoutForm, types: TypesForm) -> Choice | None:
    if action == "layout" and layout.fields and layout.is_valid():
        return Choice(member=found.shape.member, dialect=layout.dialect())
    if action == "types" and types.is_valid():
        return types.choice()
    return None


def _choose(request: HttpRequest, job: ParseJob, choice: Choice) -> bool:
    said = "It is read again that way. The evidence itself stays as it is."
    act = partial(interpreting.choose, job=job, actor=access.current_user(request), choice=choice)
    return attempt(request, said, act)


@login_required
@require_POST
def import_cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    job = _find_job(request, reference, uuid, access.ANALYST)
    tables.cancel_parse(job=job, actor=access.current_user(request))
    messages.info(request, "The reading stops. The evidence itself stays as it is.")
    return redirect("ircase:import", reference, uuid)
