"""What django-axes counts by, and keeps nothing else: a wrong answer to "who are you" may come with a form in which
somebody has just typed a tenant's secret, or with the password that they wanted next."""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.http import HttpRequest, QueryDict


class CountingHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes is not typed
    """Axes' own, for which a wrong try came with empty fields. A list of fields to mask would be one form behind."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any
    ) -> None:
        if request is None:
            super().user_login_failed(sender, credentials, request, **more)
            return
        asked, sent = request.GET, request.POST
        request.GET = request.POST = QueryDict()
        try:
            super().user_login_failed(sender, credentials, request, **more)
        finally:
            request.GET, request.POST = asked, sent
