"""Idempotency-Key: a POST that is sent twice is done once, and answered twice alike.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.errors import HttpError

from ircase import access
from ircase.api.manner.errors import problem
from ircase.models import ApiToken, KeptReply
from ircase.services import replies

HEADER: Final = "Idempotency-Key"
_WELL_FORMED: Final = re.compile(r'"?[!#-~]{1,255}"?')
_KEPT_HEADERS: Final = ("Content-Type", "ETag", "Location")


def once(
    request: HttpRequest, token: ApiToken, values: Mapping[str, Any], run: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """Do `run`, unless a request of that key was done already: then its answer again.

    409 while the first one is under way, 422 where the key was for another request."""
    key = request.headers[HEADER]
    if not _WELL_FORMED.fullmatch(key):
        raise HttpError(400, f"{HEADER} holds 1 to 255 printable characters without spaces, such as a UUID.")
    reply, new = replies.begin(token=token, key=key, fingerprint=_fingerprint(request))
    if not new:
        return _again(request, reply, values)
    done = None
    try:
        done = run()
    finally:
        if done is None or done.status_code >= 400 or not isinstance(done, HttpResponse):
            replies.forget(reply=reply)
    if done.status_code < 400 and isinstance(done, HttpResponse):
        kept = {name: done[name] for name in _KEPT_HEADERS if name in done}
        replies.keep(reply=reply, status=done.status_code, headers=kept, body=done.content.decode())
    return done


def _fingerprint(request: HttpRequest) -> str:
    """Of what is asked. An upload's bytes are not read for it: of those their length stands for them."""
    made = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if (request.content_type or "").startswith("multipart/"):
        made.update(request.headers.get("Content-Length", "").encode())
    else:
        made.update(request.body)
    return made.hexdigest()


def _again(request: HttpRequest, reply: KeptReply, values: Mapping[str, Any]) -> HttpResponseBase:
    if reply.fingerprint != _fingerprint(request):
        return problem(request, 422, f"This {HEADER} was sent with another request. Use a new key for a new request.")
    if reply.status is None:
        return _under_way(request, reply)
    if reference := values.get("reference"):
        access.get_case(reply.token.user, reference)  # what was theirs to know may be so no more
    if reply.headers.get("cut"):
        return problem(request, 409, "It was done, and the answer was too long to be kept. Read what is there now.")
    said = HttpResponse(replies.body_of(reply), status=reply.status)
    for name, value in reply.headers.items():
        said[name] = value
    said["Idempotency-Replayed"] = "true"
    return said


def _under_way(request: HttpRequest, reply: KeptReply) -> HttpResponseBase:
    if replies.seems_dead(reply):
        detail = "The first request of this key never ended; how far it came is not known. Look, then use a new key."
        return problem(request, 409, detail)
    said = problem(request, 409, "The first request of this key is still under way. Ask again in a moment.")
    said["Retry-After"] = "2"
    return said
