"""One box over everything of the cases that a person may see."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from ircase import access, finder
from ircase.finder import answering
from ircase.finder.asking import MOST_COUNTED
from ircase.models import Case, SavedView
from ircase.search.fields import FIELDS
from ircase.search.sources import sources
from ircase.services import savedviews


@require_GET
@login_required
def search(request: HttpRequest) -> HttpResponse:
    user = access.current_user(request)
    text = finder.cleaned(request.GET.get("q", ""))
    # A reference that is typed or pasted is where somebody wants to go.
    exact = Case.objects.visible_to(user).filter(reference=text.upper()).first() if text else None
    if exact is not None:
        return redirect("ircase:case", exact.reference)
    answer = answering.answer(user, text, kind=request.GET.get("in", ""), after=request.GET.get("after", ""))
    context = {
        "text": text,
        "answer": answer,
        "fields": FIELDS,
        "kinds": list(sources()),
        "most_counted": MOST_COUNTED,
        "saved": savedviews.of(user, SavedView.Page.SEARCH),
        "asked": savedviews.words_of(request.GET.urlencode()),
    }
    return render(request, "ircase/search.html", context)
