"""The URL names that the shell links to, so that it can be rendered before and beside the real ones."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from frontend import styleguide


def named(name: str) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(name)

    return view


NAMES = [
    "dashboard", "case_list", "intake", "deadlines", "improvements", "readiness", "approvals", "administration",
    "playbooks", "search", "palette", "profile", "sign_in", "sign_out", "notices", "notices_bell", "notifications",
]  # fmt: skip
ircase = [path("", named("my_work"), name="my_work"), *(path(f"{name}/", named(name), name=name) for name in NAMES)]
liveresponse = [
    path("collections/", named("collections"), name="collection_library"),
    path("kill-switch/", named("freeze"), name="freeze"),
]
urlpatterns = [
    path("styleguide/", styleguide.page),
    path("hunting/", include(([path("library/", named("library"), name="library")], "hunting"))),
    path("", include((liveresponse, "liveresponse"))),
    path("", include((ircase, "ircase"))),
]
