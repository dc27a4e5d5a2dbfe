"""What helps while somebody writes: drafts, a preview, people to name, and whether they are still signed in."""

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, markdown
from ircase.models import Draft, User
from ircase.services.writing import drafts, mentions
from ircase.services.writing.notes import MOST_CHARACTERS, plain


@require_GET
def session(request: HttpRequest) -> HttpResponse:
    """Whether the one who typed is still signed in, and the token that this session's forms carry: a page that stood
    open over a sign-out can then still save. `person` is empty where nobody is."""
    if not isinstance(request.user, User):
        return _private(JsonResponse({"person": "", "csrf": ""}))
    return _private(JsonResponse({"person": drafts.key_of(request.user), "csrf": get_token(request)}))


@require_http_methods(["GET", "PUT", "DELETE"])
@login_required
def draft(request: HttpRequest, reference: str, place: str) -> HttpResponse:
    """One's own draft of a form: read, kept (JSON: `version`, `fields`), thrown away."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    if not drafts.PLACE.fullmatch(place):
        raise Http404("No such place.")
    if request.method == "DELETE":
        drafts.forget(person=user, case=case, place=place)
        return _private(JsonResponse({"draft": None}))
    if request.method == "GET":
        return _private(JsonResponse({"draft": _shown(drafts.find(user, case, place))}))
    try:
        said = json.loads(request.body)
        version, fields = said["version"], said["fields"]
        if not (isinstance(version, int) and 0 <= version < 1 << 31 and isinstance(fields, dict)):
            raise ValidationError("A draft has a version and fields.")
        kept = drafts.keep(person=user, case=case, place=place, version=version, fields=fields)
    except (ValueError, KeyError, TypeError):
        return _private(JsonResponse({"detail": "Send JSON with version and fields."}, status=422))
    except ValidationError as error:
        return _private(JsonResponse({"detail": " ".join(error.messages)}, status=422))
    return _private(JsonResponse({"draft": {"saved_at": kept.saved_at.isoformat()}}))


def _shown(found: Draft | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"version": found.version, "fields": found.fields, "saved_at": found.saved_at.isoformat()}


def _private(reply: HttpResponse) -> HttpResponse:
    reply["Cache-Control"] = "private, no-store"
    return reply


@require_POST
@login_required
def preview(request: HttpRequest, reference: str) -> HttpResponse:
    """`text` as it will be shown."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    text = plain(request.POST.get("text", ""))[:MOST_CHARACTERS]
    html = markdown.render(text, markdown.room_for([text], case, user))
    return render(request, "notes/_preview.html", {"html": html})


@require_GET
@login_required
def people(request: HttpRequest, reference: str) -> HttpResponse:
    """`?q=`: those who may see the case and whose name begins so, to be named with an @."""
    case = access.get_case(access.current_user(request), reference, access.ANALYST)
    found = mentions.offered(case, request.GET.get("q", ""))
    return _private(JsonResponse({"people": [{"username": one.username, "name": one.name} for one in found]}))
