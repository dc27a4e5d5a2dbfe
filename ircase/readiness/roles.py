"""Part: what the connection's tokens carry, lack and carry too much, and how its APIs answered."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from django.urls import reverse

from ircase.models import Connection
from ircase.readiness.board import Asked, Check, Part, State
from msapi.preflight import FEATURES, Feature

AGE: Final = timedelta(days=7)
NEEDED: Final = frozenset(
    {"hunting", "incidents.read", "alerts.read", "machines.read", "library", "live_response", "loganalytics"}
)
"""Without these there is no investigation; what else lacks is a thing that cannot be done."""
_DEVICE: Final = frozenset(
    {"machines.tag", "library", "live_response", "package", "isolate", "restrict", "scan", "quarantine", "indicators",
     "offboard"}
)  # fmt: skip
_BY_KEY: Final[Mapping[str, Feature]] = {feature.key: feature for feature in FEATURES}


def parts(asked: Asked) -> dict[int, list[Part]]:
    about = "Application roles in the tokens against what IRCase does, and one cheap call to each API."
    return {
        one.pk: [Part("roles", "Roles and APIs", about, tuple(_checks(one, asked)))]
        for one in asked.connections
    }  # fmt: skip


def _checks(connection: Connection, asked: Asked) -> Iterator[Check]:
    administers = asked.reader is not None and asked.reader.administers
    url = reverse("ircase:connection_preflight", args=[connection.pk]) if administers else ""
    report, at = connection.preflight, connection.preflight_at
    if not at:
        yield Check("preflight", "Preflight", State.UNKNOWN, "A worker has not looked yet.", url=url)
        return
    if asked.now - at > AGE:
        days = (asked.now - at).days
        yield Check("age", "Preflight", State.AMBER, f"Looked at {days} days ago.", "Check again.", url, at)
    for number, problem in enumerate(report.get("settings", [])):
        yield Check(f"setting-{number}", "The connection itself", State.RED, problem, "Correct it.", url, at)
    for audience in report.get("audiences", []):
        if not audience["ok"] or audience["problem"]:
            title = f"Sign-in for {audience['name']}"
            yield Check(f"token-{audience['name']}", title, State.RED, audience["problem"], "See Entra ID.", url, at)
    for feature in report.get("features", []):
        yield _feature(connection, feature, url, asked)
    yield from _excess(connection, report, url)
    for probe in report.get("probes", []):
        state = {True: State.OK, False: State.RED}.get(probe["ok"], State.UNKNOWN)
        yield Check(f"probe-{probe['title']}", probe["title"], state, probe["problem"] or "It answered.", "", url, at)


def _feature(connection: Connection, feature: Mapping[str, Any], url: str, asked: Asked) -> Check:
    key, title, at = f"role-{feature['key']}", feature["title"], connection.preflight_at
    if feature["ok"]:
        return Check(key, title, State.OK, "The roles are granted.", "", url, at)
    if not _is_wanted(connection, feature["key"]):
        return Check(key, title, State.OK, "Not granted, and not needed on this connection.", "", url, at)
    lacking = " and ".join(" or ".join(group) for group in feature["lacking"]) or "a sign-in"
    state = State.RED if feature["key"] in NEEDED else State.AMBER
    return Check(key, title, state, f"Lacks {lacking}.", feature["problem"], url, at)


def _is_wanted(connection: Connection, key: str) -> bool:
    if key == "loganalytics":
        return bool(connection.workspace_id)
    return not (connection.read_only and key in _DEVICE)


def _excess(connection: Connection, report: Mapping[str, Any], url: str) -> Iterator[Check]:
    """Roles that nothing here uses: what a stolen secret could do for nothing."""
    for audience in report.get("audiences", []):
        used = {
            role
            for feature in _BY_KEY.values()
            if feature.audience.title == audience["name"] and _is_wanted(connection, feature.key)
            for group in feature.needs
            for role in group
        }
        more = sorted(set(audience["roles"]) - used)
        if more:
            yield Check(
                f"excess-{audience['name']}", f"More than needed for {audience['name']}", State.AMBER,
                f"Granted and not used: {', '.join(more)}.",
                "Remove them from the app registration, or keep this secret as what it could do.", url,
                connection.preflight_at,
            )  # fmt: skip
