"""How a person wants to be told."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.notifications import ChoicesForm, NotificationsForm
from ircase.models import Channel, NoticeSettings, User
from ircase.services.managing import mailing, monthly
from ircase.services.telling import choosing, confirming, outbox, trying
from ircase.views.doors import attempt


@require_http_methods(["GET", "POST"])
@login_required
def page(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    chosen = choosing.of(user)
    if request.GET.get("part"):
        return render(request, "notices/_channels.html", _channels(user, chosen))
    data = request.POST if request.method == "POST" else None
    choices = ChoicesForm(data, person=user, chosen=chosen)
    form = NotificationsForm(data, chosen=chosen)
    if data is not None and choices.is_valid() and form.is_valid():
        try:
            choosing.choose(person=user, wish=form.wish(choices.choices()))
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Your notifications are saved.")
            return redirect("ircase:notifications")
    return _page(request, user, choices, form)


def _page(request: HttpRequest, user: User, choices: ChoicesForm, form: NotificationsForm) -> HttpResponse:
    chosen = choosing.of(user)
    context = {"choices": choices, "form": form, "muted": choosing.muted_by(user), **_channels(user, chosen)}
    if mailing.may_have(user):
        context |= {"may_have_monthly": True, "monthly": monthly.of(user).count()}
    wrong = bool(choices.errors or form.errors)
    return render(request, "notices/settings.html", context, status=422 if wrong else 200)


def _channels(user: User, chosen: NoticeSettings) -> dict[str, Any]:
    """Which channels reach the person, and how their last tests ended."""
    return {
        "by_mail": outbox.can_be_told(user, chosen, Channel.MAIL),
        "by_teams": outbox.can_be_told(user, chosen, Channel.TEAMS),
        "mail_problem": choosing.mail_problem(user, chosen),
        "address_waits": chosen.waits_for_address and not chosen.may_mail(user.email),
        "tried": chosen.tried,
        "waits": trying.is_waited_for(chosen),
    }


@require_POST
@login_required
def test(request: HttpRequest) -> HttpResponse:
    """A message to the person themselves, now, by one channel."""
    user = access.current_user(request)
    channel = request.POST.get("channel", "")
    if channel not in (Channel.MAIL, Channel.TEAMS):
        messages.error(request, "Say by which channel.")
        return redirect("ircase:notifications")
    try:
        trying.ask(person=user, channel=Channel(channel))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"A message is on its way by {Channel(channel).label}.")
    return redirect("ircase:notifications")


@require_POST
@login_required
def address_again(request: HttpRequest) -> HttpResponse:
    """Another link to the address that waits."""
    user = access.current_user(request)
    attempt(request, f"A link is on its way to {user.email}.", partial(confirming.again, user))
    return redirect("ircase:notifications")


@require_http_methods(["GET", "POST"])
@login_required
def address_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """What the link in the mail opens. Mail filters open links, too, so that a person presses the button."""
    if request.method == "GET":
        return render(request, "notices/address.html")
    act = partial(confirming.confirm, person=access.current_user(request), token=token)
    attempt(request, "Your address is confirmed. News goes there from now on.", act)
    return redirect("ircase:notifications")
