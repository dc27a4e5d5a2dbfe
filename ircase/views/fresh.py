"""Who does something grave proves again who they are, where the last time is more than 15 minutes ago.

What they were sending is kept on the page that asks, and goes on with the answer: nothing typed is lost."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters

from ircase import access
from ircase.models import SessionRecord, User
from ircase.services.identity import entra, factors, passkeys, sessions

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], Any]
FIELD, PASSKEY = "confirm-it-is-you", "confirm-passkey"
_OURS = frozenset({FIELD, PASSKEY, "csrfmiddlewaretoken"})


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
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OURS and not name.startswith("confirm-")
        for value in values
    ]
    if request.method != "POST" or request.POST.get("confirm-method") == "GET":
        kept.append(("confirm-method", "GET"))
    context = {
        "kept": kept,
        "problem": problem,
        "asks_code": has_code,
        "asks_passkey": has_passkey,
        "passkey_origins": passkeys.origins(),
        "passkey_field": PASSKEY,
        "asks_password": not has_code and not has_passkey and user.has_usable_password(),
        "microsoft": at_microsoft and entra.way_in() is not None,
        "field": FIELD,
    }
    # 401 would have browsers ask for a password of their own.
    response = render(request, "registration/confirm.html", context, status=422 if problem else 200)
    response["Cache-Control"] = "no-store"
    return response
