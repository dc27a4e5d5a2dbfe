"""Work across cases: items with filters, taken or planned many at a time."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ircase import access, worklist
from ircase.forms.worklist import PlanManyForm, WorkFilterForm
from ircase.models import Case, ChecklistItem, User
from ircase.services.phases import checklist

PER_PAGE = 50


@require_GET
@login_required
def work(request: HttpRequest) -> HttpResponse:
    return _page(request, access.current_user(request), PlanManyForm())


def _page(request: HttpRequest, user: User, plan: PlanManyForm) -> HttpResponse:
    form = WorkFilterForm(request.GET or None, initial={"whose": "mine"})
    filters = form.filters() if request.GET else worklist.Filters()
    found = worklist.find(user, filters)
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "form": form,
        "plan": plan,
        "filters": filters,
        "filtered": bool(request.GET),
        "now": timezone.now(),
    }
    return render(request, "ircase/work.html", context, status=422 if plan.errors else 200)


@require_POST
@login_required
def plan(request: HttpRequest) -> HttpResponse:
    """Take the chosen items, or give them an owner, a date or both. What a person may not plan is said, not done."""
    user = access.current_user(request)
    form = PlanManyForm(request.POST)
    chosen = [int(pk) for pk in request.POST.getlist("item")[:PER_PAGE] if pk.isdecimal() and len(pk) < 19]
    seen = Case.objects.visible_to(user).values("pk")
    items = list(ChecklistItem.objects.live().filter(pk__in=chosen, case__in=seen).select_related("case", "owner"))
    if not form.is_valid():
        return _page(request, user, form)
    taking = request.POST.get("act") == "take"
    owner, due_at = (user, None) if taking else (form.cleaned_data["owner"], form.cleaned_data["due_at"])
    if not items:
        messages.error(request, "Choose items first.")
    elif owner is None and due_at is None:
        messages.error(request, "Choose an owner, a date, or both.")
    else:
        done, refused = checklist.plan_many(items=items, actor=user, owner=owner, due_at=due_at)
        if done:
            messages.success(request, f"{done} item{'' if done == 1 else 's'} {'taken' if taking else 'planned'}.")
        for sentence in refused:
            messages.error(request, sentence)
    return redirect(f"{reverse('ircase:work')}?{_again(request)}")


def _again(request: HttpRequest) -> str:
    """The filters that the list had, of those that it knows."""
    form = WorkFilterForm(request.POST, prefix="kept")
    form.is_valid()
    return urlencode({name: value for name, value in form.cleaned_data.items() if value})
