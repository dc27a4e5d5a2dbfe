"""How a person wants the pages to behave."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ircase import access
from ircase.services.identity import preferences


@require_POST
@login_required
def profile_keys(request: HttpRequest) -> HttpResponse:
    """Single-key shortcuts on or off, in every browser of this person."""
    on = request.POST.get("on") == "on"
    preferences.set_single_keys(person=access.current_user(request), on=on)
    messages.success(request, f"Single-key shortcuts are {'on' if on else 'off'}.")
    return redirect("ircase:profile")
