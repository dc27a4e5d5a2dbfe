"""What the organisation knows to be its own or harmless."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access, libraries
from ircase.forms.indicators import HarmlessForm
from ircase.indicators import harmless
from ircase.models import FalsePositive
from ircase.services.analysis.findings import clean

PER_PAGE = 100


@require_http_methods(["GET", "POST"])
@login_required
def harmless_list(request: HttpRequest) -> HttpResponse:
    """The list, and a new entry. Analysts keep it; everybody reads it."""
    user = access.current_user(request)
    writes = libraries.may_save(user)
    if request.method == "POST" and not writes:
        raise PermissionDenied("This needs an analyst or an administrator.")
    initial = {name: request.GET.get(name, "")[:2048] for name in ("match", "value")}
    form = HarmlessForm(request.POST or None, initial={key: value for key, value in initial.items() if value})
    if request.method == "POST" and form.is_valid():
        try:
            entry, new = harmless.add(actor=user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{entry.value} is on the list." if new else f"{entry.value} was there already.")
            return redirect("ircase:harmless")
    query = clean(request.GET.get("q", ""))[:200].strip()
    found = FalsePositive.objects.filter(withdrawn_at=None).select_related("added_by")
    if query:
        found = found.filter(value__icontains=query.lower()) | found.filter(reason__icontains=query)
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "form": form, "q": query, "writes": writes,
    }  # fmt: skip
    return render(request, "harmless.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def harmless_withdraw(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user = access.current_user(request)
    if not libraries.may_save(user):
        raise PermissionDenied("This needs an analyst or an administrator.")
    entry = get_object_or_404(FalsePositive, uuid=uuid)
    harmless.withdraw(entry=entry, actor=user)
    messages.success(request, f"{entry.value} marks nothing any more.")
    return redirect("ircase:harmless")
