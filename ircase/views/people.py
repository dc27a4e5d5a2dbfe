"""A person's own account."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.people import OwnPasswordForm, ProfileForm, TokenForm
from ircase.models import ApiToken, User
from ircase.services.identity import factors, passkeys, people, sessions
from ircase.services.telling import choosing
from ircase.views.fresh import recently


def locked_out(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """Too many wrong passwords for this account from this address: wait, or ask an administrator."""
    return render(request, "429.html", {"wait": "15 minutes"}, status=429)


@require_http_methods(["GET", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    if request.method == "GET":
        return _page(request, user)
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return _page(request, user, profile_form=form)
    people.edit_profile(user=user, **form.cleaned_data)
    messages.success(request, _saved(user))
    return redirect("ircase:profile")


def _saved(user: User) -> str:
    if choosing.of(user).may_mail(user.email) or not user.email:
        return "Your profile is saved."
    return f"Your profile is saved. A link was sent to {user.email}: nothing else goes there before you use it."


def _page(request: HttpRequest, user: User, *, new_token: str = "", **forms: Any) -> HttpResponse:
    names = ("first_name", "last_name", "email", "time_zone")
    context = {
        "profile_form": ProfileForm(initial={name: getattr(user, name) for name in names}),
        "password_form": OwnPasswordForm(request),
        "token_form": TokenForm(),
        "tokens": people.live_tokens(user),
        "new_token": new_token,
        "factor": (factor := factors.of(user)),
        "codes_left": factors.codes_left(factor) if factor else 0,
        "passkeys": list(passkeys.of(user)),
        "may_have_passkeys": not passkeys.problem() and passkeys.may_have(user),
        "sessions": list(sessions.live(user)[:50]),
        "this_session": request.session.session_key,
        **forms,
    }
    response = render(request, "ircase/profile.html", context, status=422 if forms else 200)
    # The page may hold a token that is shown once: nothing keeps a copy of it.
    response["Cache-Control"] = "no-store"
    return response


@sensitive_post_parameters()
@require_POST
@login_required
def profile_password(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    form = OwnPasswordForm(request, request.POST)
    if not form.is_valid():
        return _page(request, user, password_form=form)
    changed = people.change_password(user=user, password=form.cleaned_data["new_password1"])
    sessions.keep_after_password(request=request, user=changed)
    messages.success(request, "Your password is changed. Other sessions of yours have ended.")
    return redirect("ircase:profile")


@require_POST
@login_required
@recently()
def profile_token(request: HttpRequest) -> HttpResponse:
    """Make a token. Its text is on this one answer and nowhere else."""
    user = access.current_user(request)
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            _, text = people.create_token(
                user=user,
                name=form.cleaned_data["name"],
                expires_at=form.expires_at(),
                scopes=form.cleaned_data["scopes"],
                networks=form.networks(),
            )
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            return _page(request, user, new_token=text)
    return _page(request, user, token_form=form)


@require_POST
@login_required
def profile_token_revoke(request: HttpRequest, token: int) -> HttpResponse:
    user = access.current_user(request)
    people.revoke_token(token=get_object_or_404(ApiToken, pk=token, user=user), actor=user)
    messages.success(request, "The token is revoked. Whatever used it is refused from now on.")
    return redirect("ircase:profile")
