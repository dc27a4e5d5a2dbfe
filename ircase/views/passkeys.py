"""A person's own passkeys: registered, removed, and asked for before something grave."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.people import PasskeyForm
from ircase.middleware import MUST_ENROL
from ircase.services.identity import passkeys, sessions
from ircase.views.doors import attempt
from ircase.views.fresh import recently
from ircase.views.signin import answer_options


@never_cache
@sensitive_post_parameters("passkey")
@require_http_methods(["GET", "POST"])
@login_required
@recently()
def new(request: HttpRequest) -> HttpResponse:
    """Name it, and have the browser make it."""
    user = access.current_user(request)
    if passkeys.problem() or not passkeys.may_have(user):
        messages.error(request, "Passkeys are for those who come in by a password of IRCase, where they are set up.")
        return redirect("ircase:profile")
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = passkeys.register(
                request=request, user=user, name=form.cleaned_data["name"], answer=request.POST.get("passkey", "")
            )
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            request.session.pop(MUST_ENROL, None)
            messages.success(request, f"The passkey “{made.name}” opens IRCase from now on.")
            return redirect("ircase:profile")
    context = {"form": form, "forced": MUST_ENROL in request.session, "passkey_origins": passkeys.origins()}
    return render(request, "registration/passkey.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def options(request: HttpRequest) -> HttpResponse:
    """What a new passkey is to be made of, for who proved lately who they are."""
    if not sessions.is_fresh(request):
        return JsonResponse({"problem": "Reload this page: it asks again who you are."}, status=409)
    user = access.current_user(request)
    return answer_options(lambda: passkeys.begin_registering(request=request, user=user))


@require_POST
@login_required
def prove_options(request: HttpRequest) -> HttpResponse:
    """What a passkey of theirs is to answer before something grave."""
    user = access.current_user(request)
    return answer_options(lambda: passkeys.begin_asking(request=request, purpose=passkeys.Purpose.PROVE, user=user))


@require_POST
@login_required
@recently()
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Remove one of one's own."""
    user = access.current_user(request)
    found = get_object_or_404(passkeys.of(user), uuid=uuid)
    done = f"The passkey “{found.name}” opens nothing any more. Remove it on the device too."
    attempt(request, done, lambda: passkeys.remove(passkey=found, actor=user))
    return redirect("ircase:profile")
