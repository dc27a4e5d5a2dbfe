"""Bringing a case in from another IRCase: the file, what its verification found, and the case that came of it."""

from functools import partial
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.custody import ImportForm
from ircase.models import CaseImport, User
from ircase.services.casework.opening import require_opener
from ircase.services.transfer import caseimports, resumable, uploads
from ircase.views.doors import attempt

PER_PAGE = 20


@csrf_exempt  # `_take` checks it, after the handler that takes the file is in place
@login_required
@require_http_methods(["GET", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """A person's own imports; a POST hands one in."""
    user = access.current_user(request)
    require_opener(user)
    if request.method == "GET":
        return _show(request, user, ImportForm())
    try:
        files = uploads.receive(request)
    except (ValidationError, RequestDataTooBig) as error:
        return _show(request, user, ImportForm(), "; ".join(getattr(error, "messages", [str(error)])))
    response: HttpResponse = _take(request, files)
    return response


@csrf_protect
def _take(request: HttpRequest, files: list[uploads.Upload]) -> HttpResponse:
    user, form, file = access.current_user(request), ImportForm(request.POST), files[0]
    if not form.is_valid():
        return _show(request, user, form)
    try:
        job = caseimports.receive(
            actor=user, wish=caseimports.Wish(name=file.name or "", **form.cleaned_data), chunks=file.chunks(2**20)
        )
    except ValidationError as error:
        return _show(request, user, form, " ".join(error.messages))
    except OSError as error:
        return _show(
            request, user, form, f"The file could not be kept: {error.strerror}. Free space and send it again."
        )
    return redirect("ircase:case_import", job.uuid)


def _show(request: HttpRequest, user: User, form: ImportForm, problem: str = "") -> HttpResponse:
    found = CaseImport.objects.filter(requested_by=user).select_related("case")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "problem": problem, "limit": uploads.limit_text()}
    context["uploads"] = resumable.unfinished(None, user)
    return render(request, "custody/imports.html", context, status=422 if problem or form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def item(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """How far it is, and item by item what its verification found; a POST takes it over in spite of that."""
    user = access.current_user(request)
    job = get_object_or_404(CaseImport.objects.select_related("case"), uuid=uuid, requested_by=user)
    if request.method == "POST":
        require_opener(user)
        password, reason = request.POST.get("password"), request.POST.get("reason", "")
        if password is not None:
            again = partial(caseimports.open_again, job=job, actor=user, password=password)
            attempt(request, "The zip is tried with this password.", again)
        else:
            over = partial(caseimports.accept, job=job, actor=user, reason=reason)
            attempt(request, "It is taken over with its faults.", over)
        return redirect("ircase:case_import", uuid)
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "custody/_import.html", {"job": job})
    return render(request, "custody/import.html", {"job": job})
