"""What every move of a collection works with."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from ircase.services import activity, connections
from liveresponse import shelf
from liveresponse.catalogue import Definition, Step
from liveresponse.models import Collection, CollectionState
from liveresponse.runner.governed import Governed
from liveresponse.runner.polling import Lost, Refused
from liveresponse.services import collections, line
from msapi.governor import Bucket, Governor, defender_bucket, live_response_bucket, package_bucket

State = CollectionState
TICKET_SECONDS: Final = 900.0


@dataclass
class Work:
    """One move's surroundings."""

    row: Collection
    owner: str
    tenant: Governed
    governor: Governor
    plan: Definition = field(init=False)

    def __post_init__(self) -> None:
        plan = shelf.plan_of(self.row)
        if plan is None:
            raise Refused(f"The collection {self.row.definition!r} cannot be read any more. Ask again.")
        self.plan = plan

    @property
    def step(self) -> Step:
        return self.plan.steps[self.row.step]

    @property
    def values(self) -> dict[str, object]:
        """What stands in arguments and paths, by name."""
        return {**self.plan.placed(self.row.parameters), **self.row.found}

    @property
    def bucket(self) -> Bucket:
        """Whose turn the step waits for: a package is no Live Response session."""
        endpoint = connections.endpoint(self.row.connection)
        return defender_bucket(endpoint) if self.step.package else live_response_bucket(endpoint, TICKET_SECONDS)

    @property
    def link_bucket(self) -> Bucket:
        """Asking for a package's link, 2 a minute."""
        return package_bucket(connections.endpoint(self.row.connection))

    @property
    def flow(self) -> str:
        return line.flow_of(self.row)

    def pace(self, name: str, default: float) -> timedelta:
        """A poll time of the connection's settings, in seconds."""
        return timedelta(seconds=float(self.row.connection.limits.get(name, default)))

    def write(self, what: str = "", text: str = "", *, after: timedelta = timedelta(0), **fields: Any) -> None:
        """Keep what this move found and when to look again. Raises Lost when the lease is another's."""
        fields.setdefault("trouble", 0)
        with transaction.atomic():
            if not Collection.objects.all().change(
                self.row.pk, self.owner, next_poll_at=timezone.now() + after, **fields
            ):
                raise Lost
            if what:
                collections.note(self.row, what, text)
            if "state" in fields:
                activity.progress(self.row.activity, fields["state"])
        for name, value in fields.items():
            setattr(self.row, name, value)


def end(row: Collection, state: State, reason: str, **detail: str) -> None:
    """End without a result. `detail` goes into the device's log."""
    with transaction.atomic():
        if collections.end(row, state, reason):
            collections.note(row, state.value, reason, **detail)
