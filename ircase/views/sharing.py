"""A case in another system's format: looked at beforehand, asked for, watched, fetched, thrown away."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.exchange.formats import FORMATS
from ircase.forms import masks
from ircase.forms.sharing import ShareForm
from ircase.models import Case, CaseRole, CaseShare, User
from ircase.pages import render_tab
from ircase.services.transfer import sharing
from ircase.services.vault import delivery
from ircase.services.writing import redacting
from ircase.views.doors import attempt
from ircase.views.fresh import recently

PER_PAGE = 20


@login_required
@require_http_methods(["GET", "POST"])
@recently(only_post=True)
def shares(request: HttpRequest, reference: str) -> HttpResponse:
    """The files that were made; `format` chooses one beforehand. A POST shows what would leave, or makes it.
    A closed case can be shared too."""
    user = access.current_user(request)
    writes = request.method == "POST"
    case = access.get_case(user, reference, access.ANALYST if writes else access.VIEWER)
    asked = FORMATS.get(request.GET.get("format", ""))
    form = ShareForm(request.POST if writes else None, case=case, kind=asked.key if asked else "")
    context: dict[str, Any] = {"form": form, "formats": FORMATS.values(), "asked": asked.label if asked else ""}
    if "take" in request.POST:
        form = context["form"] = ShareForm(case=case)
        masks.take(form, request.POST, between=", ")
    elif writes and form.is_valid():
        try:
            if "preview" not in request.POST:
                return redirect("ircase:share", reference, _make(case, user, form).uuid)
            context["preview"] = sharing.preview(case=case, kind=form.cleaned_data["format"], wish=form.wish())
            context["chosen"] = FORMATS[form.cleaned_data["format"]]
        except ValidationError as error:
            form.add_error(None, error)
        except PermissionDenied as error:
            form.add_error(None, str(error))
    found = CaseShare.objects.filter(case=case).select_related("requested_by", "activity")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    sharing.judge(case, page.object_list)
    context["suggested"] = masks.left(redacting.suggested_words(case), form)
    context |= {"page": page, "may_share": access.may(case, access.ANALYST)}
    status = 422 if form.errors else 200
    return render_tab(request, case, "report", "sharing/shares.html", context, status=status)


def _make(case: Case, user: User, form: ShareForm) -> CaseShare:
    said = form.cleaned_data
    return sharing.request_share(
        case=case, actor=user, kind=said["format"], wish=form.wish(), receiver=said["receiver"],
        purpose=said["purpose"],
    )  # fmt: skip


def _find(request: HttpRequest, reference: str, uuid: UUID, needs: CaseRole = access.VIEWER) -> tuple[Case, CaseShare]:
    case = access.get_case(access.current_user(request), reference, needs)
    found: CaseShare = get_object_or_404(
        CaseShare.objects.select_related("requested_by", "activity"), case=case, uuid=uuid
    )
    found.case = case
    return case, found


@login_required
@require_GET
def share(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """One file; for htmx with `?part=1` only its state, which polls until it is final."""
    case, found = _find(request, reference, uuid)
    sharing.judge(case, [found])
    context = {
        "share": found,
        "case": case,
        "kind": FORMATS.get(found.format),
        "may_share": access.may(case, access.ANALYST),
    }
    if request.headers.get("HX-Request") and "part" in request.GET:
        return render(request, "sharing/_share.html", context)
    return render_tab(request, case, "report", "sharing/share.html", context)


@login_required
@require_GET
def download(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponseBase:
    """The file, as a download; the log keeps who took it."""
    case, found = _find(request, reference, uuid, access.ANALYST)
    if not sharing.may_take(case, found):
        raise PermissionDenied("Only a lead of the case takes this file.")
    try:
        chunks = sharing.chunks(share=found, actor=access.current_user(request))
    except sharing.ShareGone as error:
        messages.error(request, str(error))
        return redirect("ircase:share", reference, uuid)
    return delivery.attachment(chunks, name=found.name, size=found.size)


@login_required
@require_POST
def cancel(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    _, found = _find(request, reference, uuid, access.ANALYST)
    attempt(request, "It stops.", partial(sharing.cancel, share=found, actor=access.current_user(request)))
    return redirect("ircase:share", reference, uuid)


@login_required
@require_POST
def remove(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Take the file away. That it was made stays in log and custody."""
    _, found = _find(request, reference, uuid, access.ANALYST)
    act = partial(sharing.remove, share=found, actor=access.current_user(request))
    attempt(request, "The file is gone from here. The log keeps that it was made.", act)
    return redirect("ircase:share", reference, uuid)
