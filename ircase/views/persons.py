"""People, as administrators keep them."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.administration import NewPersonForm, PersonForm
from ircase.models import User
from ircase.services import accounts
from ircase.views.guard import administrators_only


@require_GET
@administrators_only
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")
    found = User.objects.order_by("-is_active", "first_name", "username")
    if text:
        named = Q(username__icontains=text) | Q(first_name__icontains=text) | Q(last_name__icontains=text)
        found = found.filter(named)
    return render(request, "administration/people.html", {"people": found[:500], "q": text})


@require_http_methods(["GET", "POST"])
@never_cache
@administrators_only
def new(request: HttpRequest) -> HttpResponse:
    """A new person. Their first password is on the answer to the form and nowhere else."""
    form = NewPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = form.save(commit=False)
        password = accounts.create_person(person=made, actor=access.current_user(request))
        return render(request, "administration/password.html", {"person": made, "password": password})
    context = {"form": form, "person": None}
    return render(request, "administration/person.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@administrators_only
def person(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(User, pk=pk)
    form = PersonForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            accounts.edit_person(person=form.save(commit=False), actor=access.current_user(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{found.name} is saved.")
            return redirect("ircase:people")
    context = {"form": form, "person": User.objects.get(pk=pk)}
    return render(request, "administration/person.html", context, status=422 if form.errors else 200)


@require_POST
@administrators_only
def active(request: HttpRequest, pk: int) -> HttpResponse:
    """Shut somebody out, or let them in again."""
    found = get_object_or_404(User, pk=pk)
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
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """A new password, shown once."""
    found = get_object_or_404(User, pk=pk)
    text = accounts.reset_password(person=found, actor=access.current_user(request))
    return render(request, "administration/password.html", {"person": found, "password": text})
