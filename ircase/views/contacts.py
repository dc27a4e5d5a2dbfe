"""Whom to call: the list, on paper too, and on the page of every case."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access
from ircase.forms.readiness import ContactForm
from ircase.models import Contact, User
from ircase.pages import render_tab
from ircase.readiness import rights
from ircase.report.sheets import TypesetError, pdf_of
from ircase.services import log
from ircase.services.readiness import contacts as service


def _reader(request: HttpRequest) -> User:
    user = access.current_user(request)
    rights.require_reader(user)
    return user


def _keeper(request: HttpRequest) -> User:
    user = access.current_user(request)
    if not service.may_keep(user):
        raise PermissionDenied("Administrators keep the contacts, and who keeps a connection ready.")
    return user


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The list in its order."""
    user = _reader(request)
    context = {"lines": service.lines(), "may_keep": service.may_keep(user)}
    return render(request, "readiness/contacts.html", context)


@require_GET
@login_required
def printed(request: HttpRequest) -> HttpResponse:
    """The list as a PDF, for the day on which there is no network. That it was taken is logged."""
    user = _reader(request)
    rows = service.lines()
    try:
        content = pdf_of("contacts", service.printed(rows, timezone.now()))
    except TypesetError as error:
        messages.error(request, str(error))
        return redirect("ircase:contacts")
    log.record("contact.printed", actor=user, name=f"{len(rows)} contacts")
    return pdf(content, "ircase_contacts.pdf")


def pdf(content: bytes, name: str) -> HttpResponse:
    """A PDF as a download that no cache keeps."""
    headers = {"Content-Disposition": content_disposition_header(True, name) or "attachment"}
    headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return HttpResponse(content, content_type="application/pdf", headers=headers)


@require_GET
@login_required
def of_case(request: HttpRequest, reference: str) -> HttpResponse:
    """The same list for who works on a case."""
    user = access.current_user(request)
    case = access.get_case(user, reference)
    return render_tab(request, case, "overview", "case/contacts.html", {"lines": service.lines()})


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    user = _keeper(request)
    return _edit(request, user, None, ContactForm(request.POST or None))


@require_http_methods(["GET", "POST"])
@login_required
def contact(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user = _keeper(request)
    found = _found(uuid)
    phone, email = service.opened(found.phone_encrypted), service.opened(found.email_encrypted)
    initial = ContactForm.initial_of(found, phone, email)
    return _edit(request, user, found, ContactForm(request.POST or None, initial=initial))


def _found(uuid: UUID) -> Contact:
    found = Contact.objects.filter(uuid=uuid).first()
    if found is None:
        raise Http404("No such contact.")
    return found


def _edit(request: HttpRequest, user: User, found: Contact | None, form: ContactForm) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        try:
            kept = service.save(actor=user, contact=found, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"{kept.name} is on the list, confirmed by you today.")
            return redirect("ircase:contacts")
    context = {"form": form, "contact": found}
    return render(request, "readiness/contact.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def act(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Confirm, move up or down, or take off the list."""
    user = _keeper(request)
    found, what = _found(uuid), request.POST.get("act", "")
    if what == "confirm":
        service.confirm(actor=user, contacts=[found])
        messages.success(request, f"{found.name} is confirmed today.")
    elif what in ("up", "down"):
        service.move(actor=user, contact=found, by=-1 if what == "up" else 1)
    elif what == "remove":
        service.remove(actor=user, contact=found)
        messages.success(request, f"{found.name} is off the list.")
    return redirect("ircase:contacts")
