"""What every page shows of the kill switch."""

from typing import Any

from django.http import HttpRequest

from ircase.models import User
from liveresponse.services import freezing


def kill_switch(request: HttpRequest) -> dict[str, Any]:
    """What is frozen, for the banner on every page that is not a part of one. One query."""
    if not isinstance(getattr(request, "user", None), User) or request.headers.get("HX-Request"):
        return {}
    return {"freezes": freezing.standing()}
