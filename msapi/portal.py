"""Links into the Defender portal, so that a person can go on there.

The hunting editor's `query` is KQL as UTF-16LE without a mark, gzipped, in URL-safe base64 without padding.
"""

import base64
import gzip
import io
import re
import zlib
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from msapi.errors import InvalidParameter

PORTAL: Final = "https://security.microsoft.com"
LONGEST_LINK: Final = 8000
RANGES: Final = ("day", "week", "month")
_QUERY_BYTES: Final = 4 * 1024**2
_INCIDENT: Final = re.compile(r"\d{1,20}")
_DEVICE: Final = re.compile(r"[0-9a-fA-F]{40}")


def incident_link(incident_id: str, tenant_id: str = "") -> str:
    """The page of an incident by its number."""
    if not _INCIDENT.fullmatch(incident_id) or not incident_id.isascii():
        raise InvalidParameter("An incident id is a number.")
    return _link(f"/incidents/{incident_id}", tenant_id)


def alert_link(alert_id: str, tenant_id: str = "") -> str:
    """The page of an alert by its id."""
    return _link(f"/alerts/{quote(alert_id, safe='')}", tenant_id)


def device_link(
    device_id: str, tenant_id: str = "", *, start: datetime | None = None, end: datetime | None = None
) -> str:
    """The page of a device; its timeline where both aware moments are given."""
    if not _DEVICE.fullmatch(device_id):
        raise InvalidParameter("A device id has 40 hex digits.")
    path = f"/machines/{device_id.lower()}"
    if start is None or end is None:
        return _link(f"{path}/overview", tenant_id)
    return _link(f"{path}/timeline", tenant_id, {"from": _moment(start), "to": _moment(end)})


def hunting_link(kql: str, tenant_id: str = "", time_range: str = "week", *, portal: str = PORTAL) -> str | None:
    """The hunting editor of the portal at `portal` with a query in it; None where the link would pass 8,000
    characters."""
    if time_range not in RANGES:
        raise InvalidParameter(f"The time range is one of {', '.join(RANGES)}.")
    try:
        packed = gzip.compress(kql.encode("utf-16-le"), mtime=0)
    except UnicodeEncodeError:
        raise InvalidParameter("The query holds half a character (a lone surrogate).") from None
    query = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    link = _link("/v2/advanced-hunting", tenant_id, {"query": query, "timeRangeId": time_range}, portal)
    return link if len(link) <= LONGEST_LINK else None


def query_of_link(link: str) -> str:
    """The KQL in a link to the hunting editor. Raises InvalidParameter where there is none that can be read."""
    try:
        packed = parse_qs(urlsplit(link).query).get("query", [""])[0]
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            content = stream.read(_QUERY_BYTES + 1)
        if not content or len(content) > _QUERY_BYTES:
            raise ValueError("empty or too large")
        return content.decode("utf-16-le")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise InvalidParameter(f"The link holds no query that can be read ({type(error).__name__}).") from None


def _link(path: str, tenant_id: str, params: dict[str, str] | None = None, portal: str = PORTAL) -> str:
    query = {**(params or {}), **({"tid": tenant_id} if tenant_id else {})}
    return f"{portal.rstrip('/')}{path}" + (f"?{urlencode(query, safe=':')}" if query else "")


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise InvalidParameter("The moment has no time zone.")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
