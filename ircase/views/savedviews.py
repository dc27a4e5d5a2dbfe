"""Saving, pinning and removing views of lists and of the search."""

from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from ircase import access
from ircase.forms.fields import ScopedForm
from ircase.models import SavedView
from ircase.services import savedviews
from ircase.views.doors import attempt, say_errors

URLS = {
    SavedView.Page.SEARCH: "ircase:search",
    SavedView.Page.CASES: "ircase:case_list",
    SavedView.Page.MY_WORK: "ircase:my_work",
    SavedView.Page.DASHBOARD: "ircase:dashboard",
}


class SaveViewForm(ScopedForm):
    page = forms.ChoiceField(choices=SavedView.Page.choices)
    name = forms.CharField(max_length=80)
    asked = forms.CharField(max_length=4000, required=False)
    shared = forms.BooleanField(required=False)
    pinned = forms.BooleanField(required=False)


def address(page: str, asked: str) -> str:
    """The page with the words of a view."""
    url = reverse(URLS[SavedView.Page(page)])
    return f"{url}?{asked}" if asked else url


@require_POST
@login_required
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep what the page shows under a name, and show it again."""
    person = access.current_user(request)
    form = SaveViewForm(request.POST)
    if not form.is_valid():
        say_errors(request, {name: [str(one) for one in found] for name, found in form.errors.items()})
        return redirect("ircase:my_work")
    values = form.cleaned_data
    attempt(request, f"Saved as “{values['name']}”.", lambda: savedviews.save(person=person, **values))
    return redirect(address(values["page"], savedviews.words_of(values["asked"])))


@require_POST
@login_required
def view_change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Pin, unpin or remove one."""
    person = access.current_user(request)
    view = get_object_or_404(savedviews.usable(person), uuid=uuid)
    act = request.POST.get("act", "")
    if act == "remove":
        attempt(request, f"“{view.name}” is removed.", lambda: savedviews.remove(view=view, person=person))
        return redirect(address(view.page, ""))
    savedviews.pin(view=view, person=person, pinned=act == "pin")
    return redirect(address(view.page, view.asked))
