"""The evidence store and the retention policies, for administrators. The content of cases is not part of that role."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from ircase import access
from ircase.forms.retention import PolicyForm
from ircase.models import RetentionPolicy
from ircase.services.vault import retention, storehealth
from ircase.views.guard import administrators_only


@require_http_methods(["GET", "POST"])
@administrators_only
def storage(request: HttpRequest) -> HttpResponse:
    """How the store is; a POST has a worker look through it, and clean it up."""
    user = access.current_user(request)
    if request.method == "POST":
        storehealth.ask_survey(actor=user, remove=request.POST.get("act") == "clean")
        messages.success(request, "A worker looks through the store.")
        return redirect("ircase:storage")
    shown = {"store": storehealth.picture(user)}
    part = request.headers.get("HX-Request") and "part" in request.GET
    return render(request, "administration/_storage.html" if part else "administration/storage.html", shown)


@require_http_methods(["GET", "POST"])
@administrators_only
def policies(request: HttpRequest) -> HttpResponse:
    """The retention policies, and a new one."""
    form = PolicyForm(request.POST or None)
    if request.method == "POST" and _saved(request, form):
        return redirect("ircase:retention_policies")
    rows = RetentionPolicy.objects.select_related("changed_by")
    context = {"policies": rows, "form": form}
    return render(request, "administration/retention.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
def policy(request: HttpRequest, pk: int) -> HttpResponse:
    """One policy."""
    found = get_object_or_404(RetentionPolicy, pk=pk)
    form = PolicyForm(request.POST or None, instance=found)
    if request.method == "POST" and _saved(request, form):
        return redirect("ircase:retention_policies")
    context = {"form": form, "policy": RetentionPolicy.objects.get(pk=pk)}
    return render(request, "administration/retention_policy.html", context, status=422 if form.is_bound else 200)


def _saved(request: HttpRequest, form: PolicyForm) -> bool:
    if not form.is_valid():
        return False
    try:
        row = retention.save_policy(policy=form.save(commit=False), actor=access.current_user(request))
    except ValidationError as error:
        form.add_error(None, error.messages)
        return False
    messages.success(request, f"{row.name} is saved.")
    return True
