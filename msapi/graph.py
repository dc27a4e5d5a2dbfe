"""Microsoft Graph security: hunting, incidents, alerts.

https://learn.microsoft.com/graph/api/resources/security-api-overview
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.endpoint import Audience
from msapi.errors import BadReply, InvalidParameter
from msapi.incidents import (
    Alert,
    Classification,
    Comment,
    Determination,
    Incident,
    IncidentStatus,
    Severity,
    read_alert,
    read_comments,
    read_incident,
)
from msapi.reading import objects, read_enum, text
from msapi.results import HuntResult, hunting_result
from msapi.transport import Call, Transport

_INCIDENTS: Final = "/v1.0/security/incidents"
_ALERTS: Final = "/v1.0/security/alerts_v2"
_TIMESPAN: Final = re.compile(r"[0-9A-Za-z:./+-]{1,100}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_INCIDENT_ID: Final = re.compile(r"\d{1,20}")
_ALERT_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
_HOPS: Final = 5
_SKIP_LIMIT: Final = 500
# Without it, members newer than the API version arrive as unknownFutureValue.
_ALL_MEMBERS: Final[Mapping[str, str]] = {"Prefer": "include-unknown-enum-members"}
_READ_INCIDENTS: Final = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
_WRITE_INCIDENTS: Final = ("SecurityIncident.ReadWrite.All",)
_READ_ALERTS: Final = ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All")


@dataclass(frozen=True, slots=True)
class Listing:
    """Which objects to list. `since` is an ISO moment that `lastUpdateDateTime` must reach; `top` is the page size."""

    path: str
    needs: tuple[str, ...]
    filter: str
    since: str
    top: int
    newest_first: bool
    expand_alerts: bool


class GraphSecurity:
    """Graph's security calls for one tenant. Every method raises an `ApiError` where it cannot keep its promise."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def hunt(self, query: str, timespan: str | None = None) -> HuntResult:
        """Run KQL over Defender's tables; close the result when done with it.

        `timespan` is ISO 8601 (`P7D`, or start/end); without it the service looks back 30 days.
        https://learn.microsoft.com/graph/api/security-security-runhuntingquery
        """
        limits = self._transport.endpoint.limits
        if not query.strip():
            raise InvalidParameter("The query is empty.", service=Audience.GRAPH.title)
        body = {"Query": query}
        if timespan is not None:
            body["Timespan"] = _checked(timespan, _TIMESPAN, "The time span is not ISO 8601, as in P7D.")
        call = Call(
            Audience.GRAPH,
            "POST",
            "/v1.0/security/runHuntingQuery",
            body=body,
            needs=("ThreatHunting.Read.All",),
            is_query=True,
            cap=limits.hunting_bytes,
            read_timeout=limits.hunting_timeout,
        )
        reply = self._transport.spool(call)
        try:
            return hunting_result(
                reply.body, limit=limits.hunting_rows, request_id=reply.request_id, service=Audience.GRAPH.title
            )
        except BaseException:
            reply.close()
            raise

    def incidents(
        self,
        filter: str = "",
        top: int = 50,
        *,
        since: str = "",
        newest_first: bool = False,
        expand_alerts: bool = False,
    ) -> Iterator[Incident]:
        """Incidents in the order of their last update, page by page; each version of one comes once.

        `filter` is OData over assignedTo, classification, createdDateTime, determination, lastUpdateDateTime, severity
        and status. One that changes while the listing runs may come again, in its newer version.
        """
        listing = Listing(_INCIDENTS, _READ_INCIDENTS, filter, since, top, newest_first, expand_alerts)
        return (read_incident(raw) for raw in self._listed(listing))

    def alerts(
        self, filter: str = "", top: int = 100, *, since: str = "", newest_first: bool = False
    ) -> Iterator[Alert]:
        """Alerts in the order of their last update, page by page."""
        listing = Listing(_ALERTS, _READ_ALERTS, filter, since, top, newest_first, False)
        return (read_alert(raw) for raw in self._listed(listing))

    def incident(self, incident_id: str, expand_alerts: bool = True) -> Incident:
        """One incident; where it was merged into another, that one, with `redirected_from` filled."""
        passed: list[str] = []
        current = _checked(incident_id, _INCIDENT_ID, "An incident id is a number.")
        while len(passed) <= _HOPS and current not in passed:
            raw = self._one(f"{_INCIDENTS}/{current}", _READ_INCIDENTS, expand_alerts)
            found = read_incident(raw, tuple(passed))
            if not found.redirect_id or found.redirect_id == current:
                return found
            passed.append(current)
            current = _checked(found.redirect_id, _INCIDENT_ID, "Graph redirects to something that is no incident.")
        raise BadReply(f"Incident {incident_id} is redirected in a circle.", service=Audience.GRAPH.title)

    def alert(self, alert_id: str) -> Alert:
        """One alert by its Graph id."""
        checked = _checked(alert_id, _ALERT_ID, "An alert id has letters, digits, - and _ only.")
        return read_alert(self._one(f"{_ALERTS}/{checked}", _READ_ALERTS, False))

    def add_comment(self, incident_id: str, comment: str) -> tuple[Comment, ...]:
        """Append a comment; gives all comments of the incident. Not repeated after a doubtful outcome (Ambiguous)."""
        checked = _checked(incident_id, _INCIDENT_ID, "An incident id is a number.")
        if not comment.strip():
            raise InvalidParameter("The comment is empty.", service=Audience.GRAPH.title)
        body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": comment}
        path = f"{_INCIDENTS}/{checked}/comments"
        reply = self._transport.json(
            Call(Audience.GRAPH, "POST", path, body=body, needs=_WRITE_INCIDENTS, idempotent=False)
        )
        return read_comments(reply, "value") if isinstance(reply, Mapping) else ()

    def update_incident(
        self,
        incident_id: str,
        *,
        status: str | None = None,
        assigned_to: str | None = None,
        classification: str | None = None,
        determination: str | None = None,
        severity: str | None = None,
        custom_tags: tuple[str, ...] | None = None,
    ) -> Incident:
        """Set what is not None; gives the incident as it stands after."""
        checked = _checked(incident_id, _INCIDENT_ID, "An incident id is a number.")
        wanted: dict[str, Any] = {
            "status": None if status is None else read_enum(IncidentStatus, status),
            "assignedTo": assigned_to,
            "classification": None if classification is None else read_enum(Classification, classification),
            "determination": None if determination is None else read_enum(Determination, determination),
            "severity": None if severity is None else read_enum(Severity, severity),
            "customTags": None if custom_tags is None else list(custom_tags),
        }
        body = {key: value for key, value in wanted.items() if value is not None}
        if not body:
            raise InvalidParameter("Nothing to change in the incident was given.", service=Audience.GRAPH.title)
        # Values are set, not added to: doing it twice ends the same.
        call = Call(Audience.GRAPH, "PATCH", f"{_INCIDENTS}/{checked}", body=body, needs=_WRITE_INCIDENTS)
        return read_incident(_object(self._transport.json(call)))

    def _one(self, path: str, needs: tuple[str, ...], expand_alerts: bool) -> Mapping[str, Any]:
        params = {"$expand": "alerts"} if expand_alerts else {}
        call = Call(Audience.GRAPH, "GET", path, params=params, headers=_ALL_MEMBERS, needs=needs)
        return _object(self._transport.json(call))

    def _listed(self, listing: Listing) -> Iterator[Mapping[str, Any]]:
        if not 1 <= listing.top <= 1000:
            raise InvalidParameter("A page holds 1 to 1000 items.", service=Audience.GRAPH.title)
        boundary = listing.since and _checked(listing.since, _MOMENT, "The starting moment is not an ISO 8601 time.")
        pages = self._downwards if listing.newest_first else self._upwards
        return pages(listing, boundary)

    def _upwards(self, listing: Listing, boundary: str) -> Iterator[Mapping[str, Any]]:
        """Oldest first, by a time boundary that moves; Graph's own links are not followed.

        They count items ($skip): one that changes while we read moves to the end of the list, all others move up by
        one, and the one at the edge of the page would never be shown. A boundary in time does not move with them. Only
        among items of one and the same time must be counted; there, each page begins with the last one of the page
        before, and where it does not, something has moved and the time is read again from its beginning.
        """
        seen: set[tuple[str, str]] = set()
        at_boundary: set[str] = set()
        skip = 0
        for _ in range(self._transport.endpoint.limits.pages):
            items = objects(self._transport.json(_page(listing, boundary, skip, "")), "value")
            moved = skip > 0 and listing.top > 1 and bool(items) and not _is_at(items[0], boundary, at_boundary)
            known = len(seen)
            for raw in items:
                key = (text(raw, "id"), text(raw, "lastUpdateDateTime"))
                if key not in seen:
                    seen.add(key)
                    yield raw
            # A short page may only mean that the service clamps its pages below what was asked.
            if len(seen) == known and len(items) < listing.top and not moved:
                return
            if moved:
                at_boundary, skip = set(), 0
                continue
            last = _time_of(items[-1])
            here = {text(raw, "id") for raw in items if text(raw, "lastUpdateDateTime") == last}
            at_boundary = at_boundary | here if last == boundary else here
            boundary, skip = last, len(at_boundary) - (1 if listing.top > 1 else 0)
            _check_skip(skip, last)
        raise BadReply("The list has more pages than the connection's limit allows.", service=Audience.GRAPH.title)

    def _downwards(self, listing: Listing, boundary: str) -> Iterator[Mapping[str, Any]]:
        """Newest first, by Graph's links where it gives them."""
        seen: set[tuple[str, str]] = set()
        at_boundary = 0
        link = ""
        for _ in range(self._transport.endpoint.limits.pages):
            reply = self._transport.json(_page(listing, boundary, at_boundary, link))
            items = objects(reply, "value")
            known = len(seen)
            for raw in items:
                key = (text(raw, "id"), text(raw, "lastUpdateDateTime"))
                if key not in seen:
                    seen.add(key)
                    yield raw
            link = text(reply, "@odata.nextLink")
            if link:
                continue
            if len(seen) == known and len(items) < listing.top:
                return
            boundary, at_boundary = _moved(boundary, at_boundary, items)
        raise BadReply("The list has more pages than the connection's limit allows.", service=Audience.GRAPH.title)


def _page(listing: Listing, boundary: str, skip: int, link: str) -> Call:
    """The call for the next page: the service's own link, or our moving boundary where it gave none.

    alerts_v2 has been seen to end a full page without a link, so only a page without news ends a listing.
    """
    common: dict[str, Any] = {"headers": _ALL_MEMBERS, "needs": listing.needs}
    if link:
        return Call(Audience.GRAPH, "GET", link, **common)
    order, compare = ("desc", "le") if listing.newest_first else ("asc", "ge")
    moved = boundary != listing.since
    terms = [f"({listing.filter})"] if listing.filter and (boundary or listing.since) else [listing.filter]
    if listing.since:
        terms.append(f"lastUpdateDateTime ge {listing.since}")
    if moved:
        terms.append(f"lastUpdateDateTime {compare} {boundary}")
    params: dict[str, str | int] = {"$orderby": f"lastUpdateDateTime {order}", "$top": listing.top}
    if any(terms):
        params["$filter"] = " and ".join(term for term in terms if term)
    if skip:
        params["$skip"] = skip
    if listing.expand_alerts:
        params["$expand"] = "alerts"
    return Call(Audience.GRAPH, "GET", listing.path, params=params, **common)


def _moved(boundary: str, at_boundary: int, items: tuple[Mapping[str, Any], ...]) -> tuple[str, int]:
    """The next boundary (the last item's time) and how many items at exactly that time have been read already."""
    last = _time_of(items[-1])
    equal = sum(1 for raw in items if text(raw, "lastUpdateDateTime") == last)
    skip = equal + (at_boundary if last == boundary else 0)
    _check_skip(skip, last)
    return last, skip


def _is_at(raw: Mapping[str, Any], boundary: str, known: set[str]) -> bool:
    return text(raw, "lastUpdateDateTime") == boundary and text(raw, "id") in known


def _time_of(raw: Mapping[str, Any]) -> str:
    last = text(raw, "lastUpdateDateTime")
    if not _MOMENT.fullmatch(last):
        raise BadReply("Graph sent an item without a time of its last update.", service=Audience.GRAPH.title)
    return last


def _check_skip(skip: int, at: str) -> None:
    if skip > _SKIP_LIMIT:
        raise BadReply(
            f"More than {_SKIP_LIMIT} items share the time {at}, past which Graph cannot page.",
            service=Audience.GRAPH.title,
            permanent=True,
        )


def _object(reply: Any) -> Mapping[str, Any]:
    if not isinstance(reply, Mapping):
        raise BadReply("Graph sent something else than the object asked for.", service=Audience.GRAPH.title)
    return reply


def _checked(value: str, pattern: re.Pattern[str], sentence: str) -> str:
    if not pattern.fullmatch(value) or not value.isascii():
        raise InvalidParameter(sentence, service=Audience.GRAPH.title)
    return value
