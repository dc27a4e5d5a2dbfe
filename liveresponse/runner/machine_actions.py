"""Reading a tenant's actions as a list: one call for all of its unfinished jobs, and the log of its devices."""

import logging
from datetime import UTC

from django.utils import timezone

from ircase import jobs, quota
from ircase.models import Connection
from liveresponse.models import ActionWatch
from liveresponse.providers import Opener, open_tenant
from liveresponse.runner.governed import FIRST, Governed, govern
from liveresponse.runner.polling import NotYet
from liveresponse.services import machine_actions
from msapi.errors import ApiError, NotFound
from msapi.machines import MachineAction

logger = logging.getLogger(__name__)


def watch(connection: Connection, opener: Opener = open_tenant) -> int:
    """Read what is due, keep it, call whoever waited for it; the number of actions read. Nothing happens while another
    worker does it, or before its time."""
    pace = machine_actions.seconds(connection, "live_response_poll_seconds", machine_actions.PACE)
    found = ActionWatch.claim(connection, pace)
    if found is None:
        return 0
    busy = any(True for _ in machine_actions.under_way(connection))
    if busy:
        # As soon as it may be; the clock's tick is for when this message is lost.
        jobs.send("liveresponse.watch_actions", connection.pk, after=pace.total_seconds() + 0.05)
    whole = found.whole_at <= timezone.now()
    since = machine_actions.boundary(found, connection, whole=whole)
    if since is None:
        return 0
    try:
        with opener(connection) as tenant:
            governed = govern(tenant, quota.governor(), connection, f"actions of {connection.pk}", FIRST)
            actions = _listed(governed, f"creationDateTimeUtc ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    except NotYet:
        return 0
    except ApiError as error:
        logger.warning("machine_actions.unread", extra={"connection": connection.name, "error": str(error)})
        ActionWatch.objects.filter(pk=found.pk).update(problem=str(error)[:500])
        return 0
    changed = machine_actions.keep(connection, actions)
    machine_actions.wake(connection, changed)
    if whole or changed:
        machine_actions.link(connection)
    _note(found, connection, actions, whole=whole, busy=busy)
    return len(actions)


def _listed(tenant: Governed, filter: str) -> list[MachineAction]:
    try:
        return list(tenant.machine_actions(filter))
    except NotFound:
        return []  # documented for lists where there is nothing lately


def _note(found: ActionWatch, connection: Connection, actions: list[MachineAction], *, whole: bool, busy: bool) -> None:
    now = timezone.now()
    values: dict[str, object] = {"read_at": now, "problem": ""}
    if whole:
        times = [at for action in actions if (at := machine_actions.moment(action.created))]
        rounds = 1 if busy else machine_actions.IDLE
        values |= {"since": max([*times, found.since or now - machine_actions.FIRST])}
        values |= {"whole_at": now + machine_actions.whole_pace(connection) * rounds}
    ActionWatch.objects.filter(pk=found.pk).update(**values)
