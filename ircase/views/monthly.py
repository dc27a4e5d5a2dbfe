"""The dashboard by mail each month: what somebody gets, and how the last ones went."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.models import MonthlyMail, User
from ircase.services.managing import monthly
from ircase.services.telling import choosing
from ircase.views.doors import attempt

LETTERS_SHOWN = 12


def _manager(request: HttpRequest) -> User:
    user = access.current_user(request)
    monthly.require_manager(user)
    return user


@require_http_methods(["GET", "POST"])
@login_required
def monthly_list(request: HttpRequest) -> HttpResponse:
    """What this person gets each month; a POST begins one more, with the filters of the dashboard."""
    user = _manager(request)
    if request.method == "POST":
        asked = request.POST.get("asked", "")
        attempt(request, "You get it from the next first of the month on.",
                lambda: monthly.begin(actor=user, asked=asked))  # fmt: skip
        return redirect("ircase:dashboard_monthly")
    context = {
        "mails": [(row, monthly.words_of(row)) for row in monthly.of(user)],
        "letters": monthly.letters_of(user)[:LETTERS_SHOWN],
        "mail_problem": choosing.mail_problem(user, choosing.of(user)),
    }
    return render(request, "dashboard/monthly.html", context)


def _mine(request: HttpRequest, uuid: UUID) -> tuple[User, MonthlyMail]:
    user = _manager(request)
    return user, get_object_or_404(monthly.of(user), uuid=uuid)


@require_POST
@login_required
def monthly_stop(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user, row = _mine(request, uuid)
    attempt(request, "It is not sent any more.", lambda: monthly.stop(mail=row, actor=user))
    return redirect("ircase:dashboard_monthly")


@require_POST
@login_required
def monthly_send(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The last whole month, now."""
    user, row = _mine(request, uuid)
    attempt(request, "The last whole month is being made, then sent.", lambda: monthly.send_now(mail=row, actor=user))
    return redirect("ircase:dashboard_monthly")
