"""Teams, as administrators keep them. On which cases a team is, only those cases' members see."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ircase import access
from ircase.forms.access import TeamForm, TeamPersonForm
from ircase.models import Team, User
from ircase.services.identity import teams
from ircase.views.doors import attempt, say_errors
from ircase.views.fresh import recently
from ircase.views.guard import administrators_only

PER_PAGE = 100


@require_http_methods(["GET", "POST"])
@administrators_only
@recently(only_post=True)
def index(request: HttpRequest) -> HttpResponse:
    """The teams; a POST makes one."""
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = teams.save_team(team=form.save(commit=False), actor=access.current_user(request))
        messages.success(request, f"{made.name} is made. Add its people.")
        return redirect("ircase:team", made.pk)
    found = Team.objects.annotate(people=Count("members", distinct=True), on_cases=Count("cases", distinct=True))
    found = found.order_by("name")
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form}
    return render(request, "administration/teams.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
@recently(only_post=True)
def team(request: HttpRequest, pk: int) -> HttpResponse:
    """A team and its people; a POST renames it."""
    found = get_object_or_404(Team, pk=pk)
    form = TeamForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        teams.save_team(team=form.save(commit=False), actor=access.current_user(request))
        messages.success(request, "Saved.")
        return redirect("ircase:team", pk)
    saved = get_object_or_404(Team.objects.annotate(on_cases=Count("cases")), pk=pk)
    people = User.objects.filter(teams__team=saved).order_by("first_name", "username", "pk")
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    context = {"team": saved, "form": form, "page": page, "person_form": TeamPersonForm()}
    return render(request, "administration/team.html", context, status=422 if form.errors else 200)


@require_POST
@administrators_only
@recently()
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody comes into the team."""
    found, actor = get_object_or_404(Team, pk=pk), access.current_user(request)
    form = TeamPersonForm(request.POST)
    if form.is_valid():
        user = form.cleaned_data["person"]
        attempt(request, f"{user.name} is in the team.", lambda: teams.add_person(team=found, user=user, actor=actor))
    else:
        say_errors(request, {name: [str(one) for one in errors] for name, errors in form.errors.items()})
    return redirect("ircase:team", pk)


@require_POST
@administrators_only
@recently()
def remove(request: HttpRequest, pk: int, person: int) -> HttpResponse:
    found, user = get_object_or_404(Team, pk=pk), get_object_or_404(User, pk=person, elsewhere=None)
    teams.remove_person(team=found, user=user, actor=access.current_user(request))
    messages.success(request, f"{user.name} is no longer in the team.")
    return redirect("ircase:team", pk)


@require_POST
@administrators_only
@recently()
def remove_team(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Team, pk=pk)
    try:
        teams.remove_team(team=found, actor=access.current_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("ircase:team", pk)
    messages.success(request, "The team is gone.")
    return redirect("ircase:teams")
