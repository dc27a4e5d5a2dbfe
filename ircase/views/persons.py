"""People, as administrators keep them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.administration import NewPersonForm, PersonForm
from ircase.models import ApiToken, CaseMember, CaseRole, EntraIdentity, Team, User
from ircase.services.identity import accounts, factors, passkeys, people, policies, sessions
from ircase.views.doors import attempt
from ircase.views.fresh import recently
from ircase.views.guard import administrators_only

PER_PAGE = 100


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")
    found = User.objects.filter(elsewhere=None).select_related("second_factor", "entra")
    found = found.annotate(has_passkey=policies.has_passkey())
    found = found.order_by("-is_active", "first_name", "username", "pk")
    if text:
        named = Q(username__icontains=text) | Q(first_name__icontains=text) | Q(last_name__icontains=text)
        found = found.filter(named)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "administration/people.html", {"page": page, "people": page.object_list, "q": text})


@require_http_methods(["GET", "POST"])
@never_cache
@administrators_only
@recently()
def new(request: HttpRequest) -> HttpResponse:
    """A new person. The link by which they set their password is on the answer to the form and nowhere else."""
    form = NewPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = form.save(commit=False)
        return _link(request, made, accounts.create_person(person=made, actor=access.current_user(request)))
    context = {"form": form, "person": None}
    return render(request, "administration/person.html", context, status=422 if form.errors else 200)


def _link(request: HttpRequest, person: User, link: accounts.ResetLink) -> HttpResponse:
    url = request.build_absolute_uri(reverse("ircase:set_password", args=[link.uid, link.token]))
    context = {"person": person, "url": url, "tokens": list(people.working_tokens(person))}
    return render(request, "administration/password.html", context)


@require_http_methods(["GET", "POST"])
@administrators_only
@recently(only_post=True)
def person(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(User, pk=pk, elsewhere=None)
    form = PersonForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.edit_person(person=form.save(commit=False), actor=access.current_user(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{found.name} is saved.")
            return redirect("ircase:people")
    context = {"form": form, "person": User.objects.get(pk=pk), **_standing(found)}
    return render(request, "administration/person.html", context, status=422 if form.errors else 200)


def _standing(person: User) -> dict[str, Any]:
    """How they come in, and what they reach. Of cases only how many: which they are is no administrator's to know."""
    roles = CaseMember.objects.filter(user=person)
    return {
        "factor": factors.of(person),
        "passkeys": list(passkeys.of(person)),
        "entra": EntraIdentity.objects.filter(user=person).first(),
        "sessions": list(sessions.live(person)[:50]),
        "tokens": list(people.live_tokens(person)),
        "teams": list(Team.objects.filter(members__user=person)),
        "reach": roles.aggregate(
            leads=Count("pk", filter=Q(role=CaseRole.LEAD)),
            writes=Count("pk", filter=Q(role=CaseRole.ANALYST)),
            reads=Count("pk", filter=Q(role=CaseRole.VIEWER)),
            open=Count("pk", filter=Q(case__closed_at=None)),
        ),
    }


@require_POST
@administrators_only
@recently()
def active(request: HttpRequest, pk: int) -> HttpResponse:
    """Shut somebody out, or let them in again."""
    found = get_object_or_404(User, pk=pk, elsewhere=None)
    wanted = request.POST.get("active") == "1"
    try:
        accounts.set_active(person=found, actor=access.current_user(request), active=wanted)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{found.name} may sign in again." if wanted else f"{found.name} is shut out.")
    return redirect("ircase:person", pk)


@require_POST
@never_cache
@administrators_only
@recently()
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """A link by which they set a new password, shown once; the old one is gone."""
    found = get_object_or_404(User, pk=pk, elsewhere=None)
    return _link(request, found, accounts.reset_password(person=found, actor=access.current_user(request)))


@require_POST
@administrators_only
@recently()
def factor(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a lost telephone's second factor away."""
    found = get_object_or_404(User, pk=pk, elsewhere=None)
    actor = access.current_user(request)
    attempt(request, "The second factor is removed.", lambda: factors.remove(user=found, actor=actor))
    return redirect("ircase:person", pk)


@require_POST
@administrators_only
@recently()
def passkey(request: HttpRequest, pk: int, uuid: UUID) -> HttpResponse:
    """Take the passkey of a lost device away."""
    owner = get_object_or_404(User, pk=pk, elsewhere=None)
    found = get_object_or_404(passkeys.of(owner), uuid=uuid)
    actor = access.current_user(request)
    done = f"The passkey “{found.name}” of {owner.name} opens nothing any more."
    attempt(request, done, lambda: passkeys.remove(passkey=found, actor=actor))
    return redirect("ircase:person", pk)


@require_POST
@administrators_only
@recently()
def sessions_of(request: HttpRequest, pk: int) -> HttpResponse:
    """End all sessions of a person."""
    found = get_object_or_404(User, pk=pk, elsewhere=None)
    actor = access.current_user(request)
    many = sessions.end_all_of(user=found, actor=actor, reason="ended by an administrator")
    messages.success(request, f"{many} sessions of {found.name} have ended.")
    return redirect("ircase:person", pk)


@require_POST
@administrators_only
@recently()
def token_revoke(request: HttpRequest, pk: int, token: int) -> HttpResponse:
    """Revoke a token of somebody."""
    found = get_object_or_404(ApiToken.objects.select_related("user"), pk=token, user=pk)
    people.revoke_token(token=found, actor=access.current_user(request))
    messages.success(request, f"The token {found.name} is revoked.")
    return redirect("ircase:person", pk)


@require_POST
@administrators_only
@recently()
def everyones_sessions(request: HttpRequest) -> HttpResponse:
    """End every session of the site but this one."""
    actor = access.current_user(request)
    many = sessions.end_everyones(actor=actor, but=request.session.session_key)
    messages.success(request, f"{many} sessions have ended. Everybody signs in again.")
    return redirect("ircase:people")
