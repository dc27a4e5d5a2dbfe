"""One box over everything of the cases that a person may see."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from ircase import access, finder
from ircase.models import Case


@require_GET
@login_required
def search(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    text = finder.cleaned(request.GET.get("q", ""))
    # A reference that is typed or pasted is where somebody wants to go.
    exact = Case.objects.visible_to(user).filter(reference=text.upper()).first() if text else None
    if exact is not None:
        return redirect("ircase:case", exact.reference)
    groups = finder.search(user, text) if len(text) >= finder.SHORTEST else []
    context = {
        "text": text,
        "groups": groups,
        "found": sum(group.shown for group in groups),
        "too_short": bool(text) and len(text) < finder.SHORTEST,
        "shortest": finder.SHORTEST,
    }
    return render(request, "ircase/search.html", context)
