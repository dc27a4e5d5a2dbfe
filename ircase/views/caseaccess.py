"""Who sees a case, and why: members, teams, and everybody whose site role reads ordinary cases."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ircase import access
from ircase.forms.access import CaseTeamForm
from ircase.models import AccessReview, Case, CaseMember, CaseTeam, Team, TeamMember, User
from ircase.models.signin import policy
from ircase.services.identity import teams
from ircase.views.doors import attempt, say_errors

PER_PAGE = 50


@require_GET
@login_required
def page(request: HttpRequest, reference: str) -> HttpResponse:
    case = access.get_case(access.current_user(request), reference)
    on_case = list(CaseTeam.objects.filter(case=case).select_related("team").order_by("team__name"))
    ours = TeamMember.objects.filter(team__in=[link.team_id for link in on_case]).select_related("team")
    members = CaseMember.objects.filter(case=case).select_related("user")
    members = members.prefetch_related(Prefetch("user__teams", queryset=ours, to_attr="on_case"))
    context = {
        "case": case,
        "may_lead": access.may(case, access.LEAD),
        "page": Paginator(members.order_by("added_at", "pk"), PER_PAGE).get_page(request.GET.get("page")),
        "on_case": on_case,
        "readers": 0 if case.confidential else _readers(case),
        "team_form": CaseTeamForm(),
        "reviewed": (last := AccessReview.objects.filter(case=case).select_related("by").first()),
        "due": (due := (last.at if last else case.opened_at) + timedelta(days=policy().review_days)),
        "late": due < timezone.now(),
    }
    # A page of its own, without the case's head: that alone would ask ten times.
    return render(request, "case/access.html", context)


def _readers(case: Case) -> int:
    """How many read it only because it is an ordinary case."""
    roles = (User.SiteRole.ANALYST, User.SiteRole.MANAGER)
    members = CaseMember.objects.filter(case=case).values("user")
    return User.objects.filter(is_active=True, site_role__in=roles).exclude(pk__in=members).count()


@require_POST
@login_required
def team(request: HttpRequest, reference: str) -> HttpResponse:
    """Put a team on the case, or give it another role there."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    form = CaseTeamForm(request.POST)
    if form.is_valid():
        chosen, role = form.cleaned_data["team"], form.cleaned_data["role"]
        attempt(
            request,
            f"{chosen.name} is on the case.",
            lambda: teams.set_on_case(case=case, team=chosen, role=role, actor=user),
        )
    else:
        say_errors(request, {name: [str(one) for one in errors] for name, errors in form.errors.items()})
    return redirect("ircase:case_access", reference)


@require_POST
@login_required
def team_remove(request: HttpRequest, reference: str, pk: int) -> HttpResponse:
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    found = get_object_or_404(Team, pk=pk, cases__case=case)
    teams.take_off_case(case=case, team=found, actor=user)
    messages.success(request, f"{found.name} is no longer on the case.")
    return redirect("ircase:case_access", reference)


@require_POST
@login_required
def review(request: HttpRequest, reference: str) -> HttpResponse:
    """A lead has looked at the list."""
    user = access.current_user(request)
    case = access.get_case(user, reference, access.LEAD)
    teams.review_access(case=case, actor=user, note=request.POST.get("note", "")[:300].replace("\x00", ""))
    messages.success(request, "The review is kept in the log.")
    return redirect("ircase:case_access", reference)
