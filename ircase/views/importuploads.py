"""Exports of other sites that come in parts: the same protocol as evidence (views/resumable.py), below no case."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.models import Upload, User
from ircase.services.casework.opening import require_opener
from ircase.services.transfer import caseimports, resumable
from ircase.views.resumable import announced, answered, begun, capabilities, facts_of, served


@login_required
@require_http_methods(["GET", "POST", "OPTIONS"])
def uploads(request: HttpRequest) -> HttpResponse:
    """The person's own that are under way, as JSON; a POST begins one more."""
    user = access.current_user(request)
    require_opener(user)
    if request.method == "GET":
        return JsonResponse({"uploads": [facts_of(upload) for upload in resumable.unfinished(None, user)]})
    if request.method == "OPTIONS":
        return capabilities()
    return answered(lambda: _begin(request, user))


def _begin(request: HttpRequest, user: User) -> HttpResponse:
    length, said = announced(request)
    wish = caseimports.Wish(
        name=said.get("filename", ""),
        confidential=said.get("confidential", "1") not in ("", "0", "false"),
        expected_key=said.get("expected_key", ""),
        password=said.get("password", ""),
    )
    fingerprint = said.get("fingerprint", "")
    return begun(request, caseimports.begin_upload(actor=user, wish=wish, size=length, fingerprint=fingerprint))


@login_required
@require_http_methods(["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"])
def upload(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of the person's own: how far it is, one more part, its end, its state."""
    user = access.current_user(request)
    found = _find(user, uuid)
    if request.method in ("PATCH", "DELETE"):
        require_opener(user)
    return served(request, found)


@login_required
@require_POST
def discard(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same end as DELETE, for a form without script."""
    user = access.current_user(request)
    found = _find(user, uuid)
    if resumable.discard(upload=found, actor=user):
        messages.info(request, f"The upload of {found.name} is discarded.")
    else:
        messages.error(request, f"{found.name} had arrived whole already; it is being brought in.")
    return redirect("ircase:case_imports")


def _find(user: User, uuid: UUID) -> Upload:
    mine = Upload.objects.select_related("came_in").filter(case=None, owner_user=user)
    return get_object_or_404(mine, uuid=uuid)
