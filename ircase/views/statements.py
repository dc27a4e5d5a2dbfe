"""Administration: the signed statements of all chains, the keys that sign, and what was sent outside."""

from functools import partial

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from ircase import access, outgoing
from ircase.models import SigningKey, Statement, StatementPost, StatementStamp
from ircase.services.vault import delivery, posting, signing, stamping, statements
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only

PER_PAGE = 50


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    """Statements, newest first; the keys; letters that could not be sent."""
    waiting = Q(posts__sent_at=None, posts__given_up_at=None, posts__isnull=False)
    found = (
        Statement.objects.select_related("key", "stamp")
        .defer("stamp__answer")
        .annotate(sent=Count("posts", filter=~Q(posts__sent_at=None)), waiting=Count("posts", filter=waiting))
        .order_by("-number")
    )
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "keys": SigningKey.objects.all()[:100],
        "dead": StatementPost.objects.exclude(given_up_at=None).select_related("statement")[:100],
        "trouble": StatementPost.objects.filter(sent_at=None, given_up_at=None).exclude(problem="")[:20],
        "unstamped": StatementStamp.objects.exclude(given_up_at=None).select_related("statement")[:100],
        "stamp_trouble": StatementStamp.objects.filter(at=None, given_up_at=None)
        .exclude(problem="")
        .select_related("statement")[:20],
        "stamped_by": outgoing.host_of(settings.TSA_URL),
        "urls": settings.STATEMENT_URLS,
        "hours": settings.STATEMENT_HOURS,
        "from_settings": bool(settings.SIGNING_KEY),
    }
    return render(request, "administration/statements.html", context)


@require_GET
@administrators_only
def download(request: HttpRequest, number: int) -> HttpResponse:
    """The statement as a file: body, signature, public key. It names no chain."""
    statement = get_object_or_404(Statement.objects.select_related("key"), number=number)
    content = signing.canonical(statements.as_json(statement))
    return _file(content, "application/json", f"statement-{number:06d}.json")


@require_GET
@administrators_only
def stamp(request: HttpRequest, number: int) -> HttpResponse:
    """The time stamp of a statement as the authority gave it: what `openssl ts -verify -in` reads."""
    row = get_object_or_404(StatementStamp.objects.exclude(at=None), statement__number=number)
    return _file(bytes(row.answer or b""), "application/timestamp-reply", f"statement-{number:06d}.tsr")


@require_POST
@administrators_only
def stamp_again(request: HttpRequest, number: int) -> HttpResponse:
    """Ask once more for a stamp that was given up."""
    row = get_object_or_404(StatementStamp.objects.select_related("statement"), statement__number=number)
    act = partial(stamping.again, stamp=row, actor=access.current_user(request))
    attempt(request, "A worker asks for it again.", act)
    return redirect("ircase:statements")


def _file(content: bytes, kind: str, name: str) -> HttpResponse:
    reply = HttpResponse(content, content_type=kind)
    for header, value in delivery.attachment(iter(()), name=name).items():
        reply[header] = value
    return reply


@require_POST
@administrators_only
def again(request: HttpRequest, post: int) -> HttpResponse:
    """Send a dead letter once more."""
    letter = get_object_or_404(StatementPost.objects.select_related("statement"), pk=post)
    act = partial(posting.again, post=letter, actor=access.current_user(request))
    attempt(request, "A worker sends it again.", act)
    return redirect("ircase:statements")


@require_POST
@administrators_only
def rotate(request: HttpRequest) -> HttpResponse:
    """A new key signs from now on."""
    attempt(request, "A new key signs from now on.", partial(signing.rotate, actor=access.current_user(request)))
    return redirect("ircase:statements")
