"""What every move of a response action works with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from ircase.services import activity
from liveresponse.kinds import KINDS, OPPOSITES, Kind
from liveresponse.models import ActionState, ResponseAction
from liveresponse.responding import Responder
from liveresponse.runner.polling import Lost
from liveresponse.services import actions, exchange
from msapi.machines import ActionStatus, MachineAction


@dataclass
class Act:
    """One move's surroundings."""

    row: ResponseAction
    owner: str
    tenant: Responder

    @property
    def kind(self) -> Kind:
        return KINDS[self.row.kind]

    def pace(self, name: str, default: float) -> timedelta:
        """A poll time of the connection's settings, in seconds."""
        return timedelta(seconds=float(self.row.connection.limits.get(name, default)))

    def write(
        self,
        what: str = "",
        text: str = "",
        *,
        after: timedelta = timedelta(0),
        detail: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Keep what this move found and when to look again. Raises Lost when the lease is another's."""
        fields.setdefault("trouble", 0)
        if "status_text" in fields:
            fields["status_text"] = fields["status_text"][:300]
        with transaction.atomic():
            rows = ResponseAction.objects.all()
            if not rows.change(self.row.pk, self.owner, next_poll_at=timezone.now() + after, **fields):
                raise Lost
            if what:
                exchange.note(self.row, what, text, **(detail or {}))
            if "state" in fields:
                activity.progress(self.row.activity, fields["state"])
        for name, value in fields.items():
            setattr(self.row, name, value)

    def end(self, state: ActionState, outcome: str, **more: Any) -> None:
        """The end, by whoever holds the lease. Raises Lost otherwise."""
        if not actions.end(self.row, state, outcome, owner=self.owner, **more):
            raise Lost


def last_of(api_type: str, known: Sequence[MachineAction]) -> MachineAction | None:
    """The newest successful one among an action's kind and its opposite; None for kinds that have no opposite."""
    if api_type not in OPPOSITES:
        return None
    family = (api_type, OPPOSITES[api_type])
    found = [action for action in known if action.type in family and action.status == ActionStatus.SUCCEEDED]
    return max(found, key=lambda action: action.created, default=None)


def moment(text: str) -> datetime | None:
    """A time as the services write it; None where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def words(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "an unknown time"
