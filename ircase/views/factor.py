"""A person's own second factor: set up, recovery codes, removed. And their signed-in browsers."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.middleware import MUST_ENROL
from ircase.models import SessionRecord, User
from ircase.services.identity import factors, passkeys, sessions
from ircase.views.fresh import recently


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@login_required
@recently()
def factor(request: HttpRequest) -> HttpResponse:
    """Scan, and give a code: then it counts."""
    user = access.current_user(request)
    if factors.of(user) is not None:
        return redirect("ircase:profile")
    if request.method == "POST":
        try:
            codes = factors.confirm(user=user, code=request.POST.get("code", "")[:40])
        except ValidationError as error:
            return _page(request, user, problem=" ".join(error.messages))
        request.session.pop(MUST_ENROL, None)
        return _codes(request, codes)
    return _page(request, user)


def _page(request: HttpRequest, user: User, problem: str = "") -> HttpResponse:
    found = factors.begin(user=user)
    context = {
        # Drawn by us from our own address: nothing in it comes from outside.
        "picture": mark_safe(factors.picture(found)),  # noqa: S308
        "secret": factors.secret_of(found),
        "problem": problem,
        "forced": MUST_ENROL in request.session,
        "passkeys_too": not passkeys.problem() and passkeys.may_have(user),
    }
    return render(request, "registration/factor.html", context, status=422 if problem else 200)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return render(request, "registration/codes.html", {"codes": codes})


@never_cache
@require_POST
@login_required
@recently()
def factor_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown once."""
    try:
        return _codes(request, factors.renew_codes(user=access.current_user(request)))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:profile")


@require_POST
@login_required
@recently()
def factor_remove(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    try:
        factors.remove(user=user, actor=user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        left = "A passkey is asked for" if factors.has_any(user) else "Your password alone opens IRCase"
        messages.success(request, f"The second factor is removed. {left}.")
    return redirect("ircase:profile")


@require_POST
@login_required
def session_end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End one of one's own sessions."""
    user = access.current_user(request)
    found = get_object_or_404(SessionRecord, uuid=uuid, user=user)
    sessions.end(found=SessionRecord.objects.filter(pk=found.pk), actor=user, reason="ended by the person")
    messages.success(request, "That session has ended.")
    return redirect("ircase:profile")


@require_POST
@login_required
def sessions_end(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    user = access.current_user(request)
    many = sessions.end_all_of(user=user, actor=user, reason="ended by the person", but=request.session.session_key)
    messages.success(request, f"{many} other sessions have ended." if many else "There was no other session.")
    return redirect("ircase:profile")
