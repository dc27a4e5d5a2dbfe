"""Parts of the readiness board that Live Response knows: the try on the test device, and the library's files."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse

from ircase.models import Connection, ReadinessPlan, StandingApproval
from ircase.readiness import board
from ircase.readiness.board import Asked, Check, Part, State
from ircase.services import approvals
from liveresponse import shelf
from liveresponse.models import Collection, CollectionState, LibraryChange, LibraryScript
from liveresponse.ownscripts import own_scripts, third_party
from liveresponse.services import probes

SOON: Final = timedelta(days=14)
"""A standing approval that ends within so many days is spoken of."""
_CHANGES: Final = 5000


def register() -> None:
    """Called when Django starts."""
    board.register(parts)


def parts(asked: Asked) -> dict[int, list[Part]]:
    """Six queries for all connections."""
    tried, files = probes.latest(asked.plans.values()), _Files([one.pk for one in asked.connections])
    trying = "A real collection on the test device, in an exercise case of its own and under the usual approval."
    library = "Files of the tenant's Live Response library that collections run, at the hash that was looked at."
    return {
        one.pk: [
            Part("probe", "Live Response", trying, (_probe(one, tried.get(one.pk, []), asked),)),
            Part("library", "Library scripts", library, tuple(files.checks(one, asked.now))),
        ]
        for one in asked.connections
    }


def _probe(connection: Connection, tries: Sequence[Collection], asked: Asked) -> Check:
    plan = asked.plan(connection)
    title = f"Live Response on {plan.probe_device or 'a test device'}"
    if connection.read_only:
        return Check("probe", title, State.OK, "This connection is for hunting only: no device is touched through it.")
    if not plan.probe_device or plan.case is None:
        return Check("probe", title, State.UNKNOWN, "No test device is chosen.", "An administrator chooses one.")
    if not tries:
        return Check("probe", title, State.UNKNOWN, "Never tried.", "Try it.")
    last = tries[0]
    url = _address(last, plan, asked)
    if not last.is_final:
        words = f"Under way: {last.get_state_display().lower()}."
        return Check("probe", title, State.UNKNOWN, words, last.status_text, url, last.requested_at)
    at = last.ended_at or last.requested_at
    if last.state != CollectionState.DONE:
        good = next((one for one in tries if one.state == CollectionState.DONE), None)
        before = f" It worked on {good.ended_at:%Y-%m-%d}." if good and good.ended_at else ""
        words = f"{last.get_state_display()}: {last.failure or 'no reason given'}{before}"
        return Check("probe", title, State.RED, words, "Mend what is said, and try again.", url, at)
    took = _took(last)
    if asked.now - at > timedelta(days=plan.probe_days):
        return Check("probe", title, State.AMBER, f"It worked {(asked.now - at).days} days ago.", "Try it.", url, at)
    return Check("probe", title, State.OK, f"It worked{took}.", "", url, at)


def _took(collection: Collection) -> str:
    if not (collection.submitted_at and collection.ended_at):
        return ""
    seconds = (collection.ended_at - collection.submitted_at).total_seconds()
    return f", and took {seconds:.0f} s" if seconds < 600 else f", and took {seconds / 60:.0f} min"


def _address(collection: Collection, plan: ReadinessPlan, asked: Asked) -> str:
    """Only for who may open the case: an administrator has no part in it."""
    if plan.case is None or asked.reader is None or not asked.reader.reads_ordinary_cases:
        return ""
    return reverse("liveresponse:collection", args=[plan.case.reference, collection.uuid])


class _Files:
    """What is known of the library files of several tenants."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.there: dict[int, dict[str, LibraryScript]] = defaultdict(dict)
        for row in LibraryScript.objects.filter(connection__in=ids):
            self.there[row.connection_id][row.name.lower()] = row
        self.pins, self.standing, self.needed = _pins(ids), _standing(ids), _needed()

    def checks(self, connection: Connection, now: datetime) -> Iterator[Check]:
        """Those that collections need, and ours."""
        url, there = reverse("liveresponse:library", args=[connection.pk]), self.there[connection.pk]
        for key, (name, users) in sorted(self.needed.items()):
            script = there.get(key)
            if script is None:
                yield _missing(key, name, users, bool(there), url)
                continue
            own = own_scripts().get(key)
            pin = own.sha256 if own else self.pins.get((connection.pk, key), "")
            yield _file(script, users, pin, self.standing.get((connection.pk, script.sha256)), url, now)


def _needed() -> dict[str, tuple[str, list[str]]]:
    """By name in lower case: how it is written, and the collections that use it."""
    found: dict[str, tuple[str, list[str]]] = {key: (script.name, []) for key, script in own_scripts().items()}
    for plan in shelf.definitions().values():
        for name in plan.files:
            found.setdefault(name.lower(), (name, []))[1].append(plan.title)
    return found


def _pins(ids: Sequence[int]) -> dict[tuple[int, str], str]:
    """The hash that a file had when it was last uploaded from here."""
    rows = LibraryChange.objects.filter(connection__in=ids, state=LibraryChange.State.DONE).exclude(after_sha256="")
    found: dict[tuple[int, str], str] = {}
    for connection, name, sha256 in rows.order_by("-pk").values_list("connection", "name", "after_sha256")[:_CHANGES]:
        found.setdefault((connection, name.lower()), sha256)
    return found


def _standing(ids: Sequence[int]) -> dict[tuple[int, str], StandingApproval]:
    """By connection and hash the standing approval that ends last."""
    rows = approvals.standing_now().filter(connection__in=ids)
    return {(row.connection_id, row.script_sha256): row for row in rows.order_by("expires_at")}


def _missing(key: str, name: str, users: Sequence[str], read: bool, url: str) -> Check:
    if not read:
        return Check(key, name, State.UNKNOWN, "The library is empty or was not read yet.", "Read it.", url)
    state = State.RED if users else State.AMBER
    todo = "Upload it as shipped." if key in own_scripts() else "Upload it; its page says where it comes from."
    return Check(key, name, state, f"Not in the library. {_users(users)}", todo, url)


def _file(
    script: LibraryScript, users: Sequence[str], pin: str, approval: StandingApproval | None, url: str, now: datetime
) -> Check:
    key, at = script.name.lower(), script.seen_at
    if pin and script.sha256 != pin:
        whose = "as shipped" if key in own_scripts() else "as uploaded from here"
        words = f"Drifted: {script.sha256[:12]}… is there, {pin[:12]}… is the file {whose}. {_users(users)}"
        return Check(key, script.name, State.RED, words, "Find out who changed it; put the known file back.", url, at)
    if approval is not None and approval.expires_at - now < SOON:
        words = f"At {script.sha256[:12]}…; its standing approval ends on {approval.expires_at:%Y-%m-%d}."
        return Check(key, script.name, State.AMBER, words, "Grant it anew, or approve each run.", url, at)
    if not pin and approval is None:
        known = (
            f" Written against commit {other.commit[:12]}."
            if (other := third_party().get(key)) and other.commit
            else ""
        )
        words = f"At {script.sha256[:12]}…, which nobody here has vouched for.{known} {_users(users)}"
        return Check(key, script.name, State.AMBER, words, "Read it, then grant a standing approval.", url, at)
    return Check(key, script.name, State.OK, f"At {script.sha256[:12]}…, as it should be.", "", url, at)


def _users(users: Sequence[str]) -> str:
    return f"Used by {', '.join(users[:3])}." if users else "No collection in use runs it."
