"""Headers of the static files that need more than a far-future cache."""

from collections.abc import MutableMapping
from typing import Final

# A worker obeys the policy of its own response, not the page's. The editor's two need neither network nor eval.
# https://www.w3.org/TR/CSP3/#initialize-global-object-csp
WORKER_POLICY: Final = "default-src 'none'"


def of_static_file(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """For `WHITENOISE_ADD_HEADERS_FUNCTION`: a worker's file carries the strictest policy there is."""
    if ".worker." in url.rpartition("/")[2]:
        headers["Content-Security-Policy"] = WORKER_POLICY
