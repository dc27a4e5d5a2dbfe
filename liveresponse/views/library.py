"""The script library of a connection's tenant: what is in it, who changed what, and changing it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ircase import access, jobs
from ircase.models import Connection, User
from ircase.services.transfer import uploads
from ircase.views.doors import attempt
from liveresponse import access as rights
from liveresponse.forms.library import DeleteForm, UploadForm
from liveresponse.models import LibraryScript
from liveresponse.services import library

PER_PAGE = 50


def _reader(request: HttpRequest, pk: int) -> tuple[User, Connection]:
    user = access.current_user(request)
    return user, rights.get_connection(user, pk)


def _keeper(request: HttpRequest, pk: int) -> tuple[User, Connection]:
    user, connection = _reader(request, pk)
    rights.require_keep_library(user, connection)
    return user, connection


@require_GET
@login_required
def index(request: HttpRequest, pk: int) -> HttpResponse:
    user, connection = _reader(request, pk)
    rows = library.held(connection)
    context = {
        "connection": connection,
        "rows": rows,
        "waiting": any(row.waiting for row in rows),
        "page": Paginator(library.history(connection), PER_PAGE).get_page(request.GET.get("page")),
        "read_at": max((row.script.seen_at for row in rows if row.script), default=None),
        "may_keep": rights.may_keep_library(user, connection),
        "writable": connection.enabled and not connection.read_only,
    }
    template = "liveresponse/_tenant_library.html" if request.GET.get("part") else "liveresponse/tenant_library.html"
    return render(request, template, context)


@require_POST
@login_required
def read(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a worker read the library again."""
    _, connection = _keeper(request, pk)
    jobs.send("liveresponse.sync_library", connection.pk)
    messages.info(request, "The library is being read; look again in a few seconds.")
    return redirect("liveresponse:library", pk)


@csrf_exempt  # `_upload` checks it, after the handler that takes the file is in place
@login_required
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    user, connection = _keeper(request, pk)
    if request.method == "GET":
        name = request.GET.get("name", "")[:255]
        return _upload_form(request, connection, UploadForm(initial={"name": name, "replace": bool(name)}))
    try:
        files = uploads.receive(request)
    except (ValidationError, RequestDataTooBig) as error:
        form = UploadForm()
        return _upload_form(request, connection, form, " ".join(getattr(error, "messages", [str(error)])))
    try:
        return _upload(request, user, connection)
    finally:
        for one in files:
            one.close()


@csrf_protect
def _upload(request: HttpRequest, user: User, connection: Connection) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _upload_form(request, connection, form)
    data = form.cleaned_data
    try:
        library.upload(
            connection=connection,
            actor=user,
            name=data["name"].strip() or data["file"].name,
            content=data["file"].read(library.UPLOAD_BYTES + 1),
            description=data["description"],
            parameters=data["parameters"],
            replace=data["replace"],
            reason=data["reason"],
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _upload_form(request, connection, form)
    messages.success(request, "A worker uploads it now; the list shows when the tenant has it.")
    return redirect("liveresponse:library", connection.pk)


def _upload_form(request: HttpRequest, connection: Connection, form: UploadForm, problem: str = "") -> HttpResponse:
    cap = f"up to {library.UPLOAD_BYTES // 1000**2} MB"
    context = {"connection": connection, "form": form, "cap": cap, "problem": problem}
    status = 422 if form.errors or problem else 200
    return render(request, "liveresponse/tenant_upload.html", context, status=status)


@require_POST
@login_required
def upload_own(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """A script that comes with IRCase, in one click."""
    user, connection = _keeper(request, pk)
    attempt(
        request,
        f"A worker uploads {name} now; the list shows when the tenant has it.",
        lambda: library.upload_own(connection=connection, actor=user, name=name),
    )
    return redirect("liveresponse:library", pk)


@require_GET
@login_required
def file(request: HttpRequest, pk: int, script: int) -> HttpResponse:
    """One file of the library, with its history."""
    user, connection = _reader(request, pk)
    found = get_object_or_404(LibraryScript, pk=script, connection=connection)
    row = next(row for row in library.held(connection) if row.name.lower() == found.name.lower())
    context = {
        "connection": connection,
        "row": row,
        "script": found,
        "history": library.history(connection, found.name)[:100],
        "may_keep": rights.may_keep_library(user, connection),
        "writable": connection.enabled and not connection.read_only,
    }
    return render(request, "liveresponse/tenant_file.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def delete(request: HttpRequest, pk: int, script: int) -> HttpResponse:
    """The second question: the file's name has to be typed."""
    user, connection = _keeper(request, pk)
    found = get_object_or_404(LibraryScript.objects.select_related("connection"), pk=script, connection=connection)
    form = DeleteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            library.delete(script=found, actor=user, typed_name=data["typed_name"], reason=data["reason"])
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"A worker deletes {found.name} now.")
            return redirect("liveresponse:library", pk)
    row = next(row for row in library.held(connection) if row.name.lower() == found.name.lower())
    context = {"connection": connection, "script": found, "row": row, "form": form}
    return render(request, "liveresponse/tenant_delete.html", context, status=422 if form.errors else 200)
