"""What a case's page and a note's editor say every half minute, and what they hear: who else is there.

Asked by GET like all that polls: what it leaves behind is gone in a minute, and a page that is older than the session
must not be told that its token is wrong while somebody types."""

import hashlib
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ircase import access, presence
from ircase.models import Case, User
from ircase.views.notes import find


@require_GET
@login_required
def here(request: HttpRequest, reference: str) -> HttpResponse:
    """Who else is on this case's pages."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    if not settings.PRESENCE:
        return _gone()
    return _told(request, case, "case/_presence.html", presence.on_case(case, user))


@require_GET
@login_required
def note_writing(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """Who else writes this note."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.ANALYST)
    note = find(case, uuid)
    if not settings.PRESENCE:
        return _gone()
    return _told(request, case, "notes/_writing_now.html", presence.at_note(case, note.uuid, user), note=note)


def _told(request: HttpRequest, case: Case, template: str, others: list[User], **more: object) -> HttpResponse:
    """The fragment, where it says something else than the page says already: a screen reader hears changes alone."""
    mark = hashlib.sha256(",".join(str(one.pk) for one in others).encode()).hexdigest()[:12]
    if request.GET.get("known") == mark:
        return HttpResponse(status=204)
    context = {"case": case, "others": others, "mark": mark, "loaded": True, **more}
    return render(request, template, context)


def _gone() -> HttpResponse:
    """It was switched off under an open page: the fragment goes, and with it the asking."""
    return HttpResponse(status=286)
