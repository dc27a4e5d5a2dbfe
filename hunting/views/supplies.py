"""The administrators' page of what queries on a case's tables are given: feeds, a database of places, file profiles."""

from typing import Final

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hunting.forms.supplies import FeedForm
from hunting.models import Feed, PlacesFile, ProfilesFile
from hunting.services import feeds
from hunting.services import supplies as services
from ircase import access
from ircase.services.transfer import uploads
from ircase.store import StoreError
from ircase.views.doors import attempt
from ircase.views.guard import administrators_only

HISTORY: Final = 50


@require_GET
@administrators_only
def supplies(request: HttpRequest) -> HttpResponse:
    current, problem = services.setting_database() if settings.PLACES_FILE else (services.database(), "")
    context = {
        "feeds": Feed.objects.with_last(),
        "database": current,
        "database_problem": problem,
        "places": PlacesFile.objects.filter(withdrawn_at=None).first(),
        "profiles": services.profiles_file(),
        "hours": settings.FILE_PROFILE_HOURS,
        "calls": settings.FILE_PROFILE_CALLS,
    }
    return render(request, "administration/supplies.html", context)


@require_http_methods(["GET", "POST"])
@administrators_only
def feed_new(request: HttpRequest) -> HttpResponse:
    """`?address=`: what a query asked for, filled in."""
    return _edit(request, Feed(), {"address": request.GET.get("address", "")[:1000]})


@require_http_methods(["GET", "POST"])
@administrators_only
def feed(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Feed, pk=pk))


def _edit(request: HttpRequest, found: Feed, initial: dict[str, str] | None = None) -> HttpResponse:
    saved = Feed.objects.filter(pk=found.pk).first() if found.pk else None
    form = FeedForm(request.POST or None, instance=found, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            kept = feeds.save_feed(feed=form.row(), actor=access.current_user(request))
            messages.success(request, "The feed is saved." + (" A worker fetches it now." if _is_fetched(kept) else ""))
            return redirect("hunting:feed", kept.pk)
        except ValidationError as error:
            form.add_error(None, error)
    context = {"form": form, "saved": saved, "fetches": saved.fetches.all()[:HISTORY] if saved else ()}
    return render(request, "administration/feed.html", context, status=422 if form.errors else 200)


def _is_fetched(kept: Feed) -> bool:
    return kept.enabled and not kept.is_prefix


@require_POST
@administrators_only
def feed_fetch(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Feed, pk=pk)
    user = access.current_user(request)
    attempt(request, "A worker fetches it now. Reload in a moment.", lambda: feeds.ask_fetch(feed=found, actor=user))
    return redirect("hunting:feed", pk)


@csrf_exempt  # `_install` checks it, after the handler that takes the file is in place
@require_POST
@administrators_only
def places(request: HttpRequest) -> HttpResponse:
    return _received(request, "places")


@csrf_exempt
@require_POST
@administrators_only
def profiles(request: HttpRequest) -> HttpResponse:
    return _received(request, "profiles")


def _received(request: HttpRequest, what: str) -> HttpResponse:
    try:
        files = uploads.receive(request)
    except (ValidationError, RequestDataTooBig) as error:
        messages.error(request, "; ".join(getattr(error, "messages", [str(error)])))
        return redirect("hunting:supplies")
    response: HttpResponse = _install(request, files[0], what)
    return response


@csrf_protect
def _install(request: HttpRequest, file: uploads.Upload, what: str) -> HttpResponse:
    user = access.current_user(request)
    try:
        if what == "places":
            database = services.install_places(file=file, actor=user)
            messages.success(request, f"{database.name} of {database.built_at:%Y-%m-%d} is used from now on.")
        else:
            table = services.install_profiles(file=file, actor=user)
            messages.success(request, f"{table.name} is used from now on.")
    except (ValidationError, StoreError) as error:
        messages.error(request, "; ".join(getattr(error, "messages", [str(error)])))
    finally:
        file.close()
    return redirect("hunting:supplies")


@require_POST
@administrators_only
def places_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    return _withdrawn(request, get_object_or_404(PlacesFile, pk=pk))


@require_POST
@administrators_only
def profiles_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    return _withdrawn(request, get_object_or_404(ProfilesFile, pk=pk))


def _withdrawn(request: HttpRequest, row: PlacesFile | ProfilesFile) -> HttpResponse:
    services.withdraw(row=row, actor=access.current_user(request))
    messages.success(request, f"{row.name} is used no longer. Manifests that name it can still be checked.")
    return redirect("hunting:supplies")
