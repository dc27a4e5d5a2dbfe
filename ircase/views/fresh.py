"""Who does something grave proves again who they are, where the last time is more than 15 minutes ago.

What they were sending is kept on the page that asks, and goes on with the answer; over the way to Microsoft and back it
waits, encrypted, in their session: nothing typed is lost."""

import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET

from ircase import access, secrets
from ircase.models import SessionRecord, User
from ircase.services.identity import entra, factors, passkeys, sessions

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], Any]
FIELD, PASSKEY = "confirm-it-is-you", "confirm-passkey"
_OURS = frozenset({FIELD, PASSKEY, "csrfmiddlewaretoken"})
WAITING: Final = "fresh_waiting"
_WAITS_AT_MOST: Final = 200_000  # characters
Kept = list[tuple[str, str]]


def recently(*, only_post: bool = False) -> Callable[[View[P]], View[P]]:
    """A view for those who proved who they are within 15 minutes. `only_post`: reading its page is free to all."""

    def wrap(view: View[P]) -> View[P]:
        @wraps(view)
        @sensitive_post_parameters(FIELD, PASSKEY)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            if sessions.is_fresh(request) or (only_post and request.method in ("GET", "HEAD")):
                return view(request, *args, **kwargs)
            user = access.current_user(request)
            problem = ""
            if request.method == "POST" and (FIELD in request.POST or request.POST.get(PASSKEY)):
                problem = _problem(request, user)
                if not problem:
                    sessions.refresh(request)
                    request.session.pop(WAITING, None)
                    return view(_as_it_was(request), *args, **kwargs)
            return _ask(request, user, problem)

        guarded.asks_again = True  # type: ignore[attr-defined]  # tests/ircase/manner/test_doors.py reads it
        return guarded

    return wrap


def _as_it_was(request: HttpRequest) -> HttpRequest:
    """The request without the answer to our question; a page that was only to be read is read."""
    values = request.POST.copy()
    values.pop(FIELD, None)
    values.pop(PASSKEY, None)
    was_get = values.pop("confirm-method", [""])[-1] == "GET"
    values._mutable = False
    request.POST = values  # type: ignore[assignment]
    if was_get:
        request.method = "GET"
        request.POST = QueryDict()
    return request


def _problem(request: HttpRequest, user: User) -> str:
    """Why the answer does not do; empty where it does. Wrong ones count for the throttle like any other."""
    wrong, answer = "That is not right. Try again.", request.POST.get(FIELD, "")
    try:
        if key := request.POST.get(PASSKEY):
            passkeys.check(request=request, purpose=passkeys.Purpose.PROVE, answer=key, user=user)
            return ""
        if factors.of(user) is not None:
            return "" if factors.check(user=user, code=answer) else wrong
    except ValidationError as error:
        return " ".join(error.messages)
    if passkeys.of(user).exists():
        return "Use your passkey."
    if not user.has_usable_password():
        return "Sign in at Microsoft again."
    found = authenticate(request, username=user.username, password=answer)
    return "" if found is not None and found.pk == user.pk else wrong


def _ask(request: HttpRequest, user: User, problem: str) -> HttpResponse:
    has_code, has_passkey = factors.of(user) is not None, passkeys.of(user).exists()
    at_microsoft = request.session.get(sessions.METHOD) == SessionRecord.Method.ENTRA
    kept: Kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OURS and not name.startswith("confirm-")
        for value in values
    ]
    reads = request.method != "POST" or request.POST.get("confirm-method") == "GET"
    microsoft = at_microsoft and entra.way_in() is not None
    waits = microsoft and not reads and _let_wait(request, kept)
    if reads:
        kept.append(("confirm-method", "GET"))
    context = {
        "kept": kept,
        "problem": problem,
        "asks_code": has_code,
        "asks_passkey": has_passkey,
        "passkey_origins": passkeys.origins(),
        "passkey_field": PASSKEY,
        "asks_password": not has_code and not has_passkey and user.has_usable_password(),
        "microsoft": microsoft,
        "back_to": request.get_full_path() if reads else reverse("ircase:go_on" if waits else "ircase:my_work"),
        "lost": microsoft and not reads and not waits,
        "field": FIELD,
    }
    # 401 would have browsers ask for a password of their own.
    response = render(request, "registration/confirm.html", context, status=422 if problem else 200)
    response["Cache-Control"] = "no-store"
    return response


def _let_wait(request: HttpRequest, kept: Kept) -> bool:
    """Keep what was being sent until they are back. It may hold a tenant's secret: nobody reads it in the database."""
    text = json.dumps([request.get_full_path(), kept])
    if len(text) > _WAITS_AT_MOST or request.FILES:
        request.session.pop(WAITING, None)
        return False
    request.session[WAITING] = [int(time.time()), secrets.encrypt(text)]
    return True


def _waiting(request: HttpRequest) -> tuple[str, Kept] | None:
    """Where what waits was being sent, and its fields. It is handed out once."""
    found = request.session.pop(WAITING, None)
    if not isinstance(found, list) or not 0 <= time.time() - found[0] < sessions.FRESH_SECONDS:
        return None
    try:
        path, kept = json.loads(secrets.decrypt(found[1]))
    except ImproperlyConfigured:
        return None
    return path, [(name, value) for name, value in kept]


@never_cache
@require_GET
@login_required
def go_on(request: HttpRequest) -> HttpResponse:
    """Back from Microsoft: what they were sending is shown as waiting, and one press sends it."""
    if not sessions.is_fresh(request):  # what waits is for who has proved it, not for who finds the browser open
        return redirect(f"{reverse('ircase:entra')}?{urlencode({'next': request.path})}")
    found = _waiting(request)
    if found is None:
        messages.info(request, "Nothing waits to be sent any more. Begin it anew.")
        return redirect("ircase:my_work")
    return render(request, "registration/go_on.html", {"path": found[0], "kept": found[1]})
