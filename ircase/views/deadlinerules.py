"""Administration: which laws' clocks start by themselves, and the organisation's own service levels."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.clocks.reading import calendars, regimes
from ircase.forms.clocks import ServiceLevelForm
from ircase.models import ServiceLevel
from ircase.services.phases import clocks, servicelevels
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only


@require_http_methods(["GET", "POST"])
@administrators_only
def deadline_rules(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        regime, automatic = request.POST.get("regime", ""), request.POST.get("automatic") == "on"
        attempt(
            request,
            "Saved.",
            lambda: clocks.set_policy(actor=access.current_user(request), regime=regime, automatic=automatic),
        )
        return redirect("ircase:deadline_rules")
    context = {
        "regimes": regimes().values(),
        "automatic": clocks.automatic_regimes(),
        "levels": ServiceLevel.objects.select_related("changed_by"),
        "calendars": calendars().values(),
    }
    return render(request, "administration/deadlines.html", context)


@require_http_methods(["GET", "POST"])
@administrators_only
def service_level(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    level = get_object_or_404(ServiceLevel, pk=pk) if pk is not None else None
    form = ServiceLevelForm(request.POST or None, instance=level)
    if request.method == "POST" and form.is_valid():
        stored = get_object_or_404(ServiceLevel, pk=pk) if pk is not None else None
        try:
            servicelevels.save(actor=access.current_user(request), level=stored, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The service level is saved. It holds for clocks that start from now on.")
            return redirect("ircase:deadline_rules")
    context = {"form": form, "level": level}
    return render(request, "administration/service_level.html", context, status=422 if form.errors else 200)
