"""The sign-in provider, the rules of access, and who reaches how much."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from ircase import access
from ircase.forms.access import PolicyForm, ProviderForm
from ircase.models import SignInProvider
from ircase.models.signin import policy, provider
from ircase.services.identity import policies
from ircase.views.fresh import recently
from ircase.views.guard import administrators_only

PER_PAGE = 100


@never_cache
@require_http_methods(["GET", "POST"])
@administrators_only
@recently()
def provider_page(request: HttpRequest) -> HttpResponse:
    form = ProviderForm(request.POST or None, instance=provider())
    if request.method == "POST" and form.is_valid():
        try:
            policies.save_provider(
                found=form.save(commit=False),
                actor=access.current_user(request),
                secret=form.cleaned_data["secret"].strip(),
                key=form.cleaned_data["key"].strip(),
            )
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "Saved. Sign in by it in another browser before you leave this one.")
            return redirect("ircase:signin_provider")
    saved = SignInProvider.objects.order_by("pk").first()
    context = {
        "form": form,
        "saved": saved,
        "redirect_uri": request.build_absolute_uri(reverse("ircase:entra_back")),
        "left_url": request.build_absolute_uri(reverse("ircase:entra_left")),
    }
    return render(request, "administration/signin.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
@recently(only_post=True)
def rules_page(request: HttpRequest) -> HttpResponse:
    form = PolicyForm(request.POST or None, instance=policy())
    if request.method == "POST" and form.is_valid():
        try:
            policies.save_policy(rules=form.save(commit=False), actor=access.current_user(request))
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The rules are saved. They hold from the next sign-in on.")
            return redirect("ircase:policies")
    return render(request, "administration/policies.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@administrators_only
def access_page(request: HttpRequest) -> HttpResponse:
    """Everybody, and how much they reach: numbers of cases, never which."""
    page = Paginator(policies.reach(), PER_PAGE)
    return render(request, "administration/access.html", {"page": page.get_page(request.GET.get("page"))})
