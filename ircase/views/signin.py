"""Coming in and leaving: by a local password (and a second factor), by a passkey, and by Microsoft Entra ID."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase.addresses import address_of
from ircase.middleware import MUST_ENROL
from ircase.models import AccessPolicy, SessionRecord, User
from ircase.models.signin import policy
from ircase.services import log
from ircase.services.identity import entra, factors, passkeys, sessions
from ircase.services.identity.policies import may_use_password
from msapi.errors import ApiError
from msapi.signin import EntraPerson, PeopleSignIn

BACKEND = "django.contrib.auth.backends.ModelBackend"
PENDING, FLOW, NEXT = "sign_in_pending", "entra_flow", "entra_next"
_PENDING_SECONDS = 10 * 60


class LocalForm(AuthenticationForm):
    """Whoever may not use a password here is answered like a wrong pair: a right one must not be told from it."""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not may_use_password(user):
            raise self.get_invalid_login_error()


@method_decorator(sensitive_post_parameters(), name="dispatch")
class SignInView(LoginView):
    """Django's own view rotates the session, checks where `next` leads, and answers alike for every wrong pair."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True
    form_class = LocalForm
    http_method_names = ["get", "head", "post"]

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if not factors.has_any(user):
            return _enter(self.request, user, SessionRecord.Method.PASSWORD, self.get_success_url())
        # Nobody is in yet: the session holds whose code is asked for, and a new key so that nobody else waits with it.
        self.request.session.cycle_key()
        self.request.session[PENDING] = [user.pk, int(time.time()), self.get_success_url()]
        return redirect("ircase:sign_in_code")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rules = policy()
        return super().get_context_data(
            **kwargs,
            microsoft=entra.way_in() is not None,
            passwords=rules.local_passwords,
            rules=AccessPolicy,
            passkey_origins=passkeys.origins(),
        )


sign_in = SignInView.as_view()


def _enter(
    request: HttpRequest, user: Any, method: str, target: str, sid: str = "", proved_at: int | None = None
) -> HttpResponse:
    request.sign_in_by = (method, sid, proved_at)  # type: ignore[attr-defined]
    sessions.close(request)  # of an earlier sign-in of this browser
    request.session.pop(PENDING, None)  # nor does a half one wait on
    login(request, user, backend=BACKEND)
    if method == SessionRecord.Method.PASSWORD and factors.must_have(user):
        request.session[MUST_ENROL] = True
    for name in passkeys.doubted(user):
        text = "was refused because its counter went back: somebody may have a copy. Remove it on your profile."
        messages.error(request, f"Your passkey “{name}” {text}")
    return HttpResponseRedirect(target)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The second step: a code of the telephone, a recovery code, or a passkey."""
    pending = request.session.get(PENDING)
    user = _pending(pending)
    if user is None or pending is None:
        return redirect("ircase:sign_in")
    problem = ""
    if request.method == "POST":
        try:
            if method := _second(request, user):
                return _enter(request, user, method, safe_next(request, str(pending[2])))
            problem = "That code is not right."
        except ValidationError as error:
            problem = " ".join(error.messages)
    context = {
        "problem": problem,
        "has_code": factors.of(user) is not None,
        "has_passkey": passkeys.of(user).exists(),
        "passkey_origins": passkeys.origins(),
    }
    return render(request, "registration/code.html", context, status=422 if problem else 200)


def _second(request: HttpRequest, user: User) -> str:
    """By what the second step was taken; empty where the code is wrong. Raises ValidationError."""
    if answer := request.POST.get("passkey", ""):
        passkeys.check(request=request, purpose=passkeys.Purpose.SECOND, answer=answer, user=user)
        return SessionRecord.Method.PASSWORD_PASSKEY
    right = factors.check(user=user, code=request.POST.get("code", "")[:40])
    return SessionRecord.Method.CODE if right else ""


def _pending(kept: Any) -> User | None:
    if not isinstance(kept, list) or len(kept) != 3 or time.time() - kept[1] > _PENDING_SECONDS:
        return None
    return User.objects.filter(pk=kept[0], is_active=True).first()


# --- by a passkey ----------------------------------------------------------------------------------------------------


@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What the browser is to answer: with any passkey for us, so that nobody says who they are before."""
    return answer_options(lambda: passkeys.begin_asking(request=request, purpose=passkeys.Purpose.SIGN_IN))


@require_POST
def code_options(request: HttpRequest) -> HttpResponse:
    """The same for the second step, with the passkeys of whoever gave the password."""
    user = _pending(request.session.get(PENDING))
    if user is None:
        return JsonResponse({"problem": "Your password is wanted first. Start again."}, status=409)
    return answer_options(lambda: passkeys.begin_asking(request=request, purpose=passkeys.Purpose.SECOND, user=user))


def answer_options(make: Callable[[], str]) -> HttpResponse:
    """Options for the browser's own passkey dialog as JSON, or the problem."""
    try:
        found = HttpResponse(make(), content_type="application/json")
    except ValidationError as error:
        return JsonResponse({"problem": " ".join(error.messages)}, status=409)
    found["Cache-Control"] = "no-store"
    return found


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def passkey(request: HttpRequest) -> HttpResponse:
    """Come in by a passkey: the device and its owner, so that no code is asked for."""
    if request.method == "GET":  # a refusal was reloaded
        return redirect("ircase:sign_in")
    target = safe_next(request, request.POST.get("next", ""))
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    try:
        user = passkeys.check(request=request, purpose=passkeys.Purpose.SIGN_IN, answer=request.POST.get("passkey", ""))
    except ValidationError as error:
        return _sign_in_again(request, " ".join(error.messages))
    return _enter(request, user, SessionRecord.Method.PASSKEY, target)


def _sign_in_again(request: HttpRequest, problem: str) -> HttpResponse:
    """The page of the password door once more, with what was wrong."""
    rules = policy()
    context = {
        "form": LocalForm(request),
        "next": request.POST.get("next", ""),
        "problem": problem,
        "microsoft": entra.way_in() is not None,
        "passwords": rules.local_passwords,
        "rules": AccessPolicy,
        "passkey_origins": passkeys.origins(),
    }
    response = render(request, SignInView.template_name, context, status=422)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Leave IRCase. Whoever came by Microsoft is offered to leave there too: a form may not lead to another host."""
    by_microsoft = request.session.get(sessions.METHOD) == SessionRecord.Method.ENTRA
    logout(request)
    return redirect("ircase:signed_out" if by_microsoft else "ircase:sign_in")


@require_GET
def signed_out(request: HttpRequest) -> HttpResponse:
    way = entra.way_in()
    back = request.build_absolute_uri(reverse("ircase:sign_in"))
    return render(request, "registration/signed_out.html", {"url": way.logout_url(back) if way else ""})


def safe_next(request: HttpRequest, wanted: str) -> str:
    """`wanted` where it leads to a page of ours, else my work."""
    inside = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and inside else resolve_url("ircase:my_work")


# --- Microsoft Entra ID ----------------------------------------------------------------------------------------------


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("ircase:entra_back"))


@never_cache
@require_GET
def to_entra(request: HttpRequest) -> HttpResponse:
    """Off to Microsoft. State, nonce and the PKCE verifier stay in this browser's session. Who is in already proves
    who they are once more."""
    way = entra.way_in()
    if way is None:
        return redirect("ircase:sign_in")
    again = request.user.is_authenticated
    try:
        asked = {"prompt": "login", "max_age": sessions.FRESH_SECONDS} if again else {"prompt": "select_account"}
        flow = way.begin(redirect_uri=_back(request), **asked)
    except ApiError as error:
        return _sorry(request, str(error), error.code)
    request.session[FLOW] = flow
    request.session[NEXT] = safe_next(request, request.GET.get("next", ""))
    return HttpResponseRedirect(flow["auth_uri"])


@never_cache
@require_GET
def entra_back(request: HttpRequest) -> HttpResponse:
    """Microsoft's answer. The flow is used once, whatever becomes of it."""
    flow, target = request.session.pop(FLOW, None), request.session.pop(NEXT, "/")
    way = entra.way_in()
    if way is None or not isinstance(flow, dict):
        return _sorry(request, "This sign-in was not begun in this browser, or it is over. Begin again.", "state")
    return _landed(request, way, flow, str(target))


def _landed(request: HttpRequest, way: PeopleSignIn, flow: dict[str, Any], target: str) -> HttpResponse:
    try:
        person = way.finish(flow, request.GET.dict())
        user = entra.land(person)
    except ApiError as error:
        return _sorry(request, str(error), error.code)
    except entra.NotLetIn as error:
        return _sorry(request, str(error), error.reason, status=403)
    if request.user.is_authenticated:
        if request.user.pk != user.pk:
            return _sorry(
                request, "That is another account than the one you are signed in with.", "another", status=403
            )
        if request.session.get(sessions.METHOD) == SessionRecord.Method.ENTRA:
            return _proved(request, person, target)
    # Microsoft lets in whom it knows from this morning: that proves nothing about who sits there now.
    return _enter(request, user, SessionRecord.Method.ENTRA, target, person.sid, person.proved_at or 0)


def _proved(request: HttpRequest, person: EntraPerson, target: str) -> HttpResponse:
    """Back from proving it again. Whether Microsoft asked, the token says: the browser may have asked less."""
    if person.proved_at is not None:
        sessions.refresh(request, person.proved_at)
        if sessions.is_fresh(request):
            return HttpResponseRedirect(target)
    sentence = "Microsoft does not say that it has just asked you who you are. Sign in there again."
    return _sorry(request, sentence, "auth_time", status=403, target=target)


def _sorry(request: HttpRequest, sentence: str, reason: str, status: int = 400, target: str = "") -> HttpResponse:
    log.record("sign_in.refused", by="Entra", reason=reason[:60], address=address_of(request))
    return render(request, "registration/refused.html", {"sentence": sentence, "target": target}, status=status)


@never_cache
@require_GET
def front_channel(request: HttpRequest) -> HttpResponse:
    """Microsoft tells, in a frame of the person's browser, that they signed out there. Our cookie does not come
    along, so the session is found by Microsoft's own id of it, which nobody can guess.
    https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc#single-sign-out"""
    sessions.end_by_entra(sid=request.GET.get("sid", "")[:64])
    return HttpResponse("", content_type="text/plain")


# --- a password by a link --------------------------------------------------------------------------------------------


@method_decorator(never_cache, name="dispatch")
class SetPasswordView(PasswordResetConfirmView):
    """Django's view: the link's token goes into the session and out of the address before the form is shown."""

    template_name = "registration/set_password.html"
    success_url = reverse_lazy("ircase:sign_in")

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.user
        response = super().form_valid(form)
        sessions.end_all_of(user=user, actor=user, reason="password set by a link")
        log.record("person.password_set", actor=user, user=user.username)
        messages.success(self.request, "Your password is set. Sign in with it.")
        return response


# Django's view answers a link that is no good before it looks at the method.
set_password = require_http_methods(["GET", "HEAD", "POST"])(SetPasswordView.as_view())
