"""Around every request: the library is read from the database once at most."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from hunting import shelf

Handler = Callable[[HttpRequest], HttpResponse]


class LibraryMiddleware:
    """What a request has read of the saved hunts stays read until it ends."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with shelf.held():
            return self.get_response(request)
