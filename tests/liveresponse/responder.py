"""A tenant that carries out response actions as it is told: every way to break them, and nothing over a wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from django.utils import timezone

from ircase.models import Connection
from msapi.errors import ActiveRequestExists, ApiError, NotFound
from msapi.indicators import TenantIndicator
from msapi.machines import Machine, MachineAction
from msapi.mitigation import Mitigation
from tests.liveresponse.tenant import MACHINE, machine

NAME = "ws-07.contoso.com"


def now() -> str:
    return timezone.now().isoformat()


def machine_action(
    number: int, kind: str, status: str, comment: str, by: str = "IRCase", scope: str = ""
) -> MachineAction:
    return MachineAction(
        f"action-{number}", kind, status, MACHINE, "ws-07", by, comment, now(), now(), scope, "", "", 0, (),
        {"n": number},
    )  # fmt: skip


@dataclass
class FakeResponder:
    """Actions end at the second look. `faults` are raised by the named call, in order, before anything happens;
    `after` are raised by a changing call once it has happened. `reports` is whether the device says what it is."""

    faults: dict[str, list[ApiError]] = field(default_factory=dict)
    after: list[BaseException] = field(default_factory=list)
    final: str = "Succeeded"
    looks_needed: int = 2
    reports: bool = True
    isolated: bool = False
    restricted: bool = False
    actions: list[MachineAction] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    indicators: dict[str, TenantIndicator] = field(default_factory=dict)
    before_change: list[object] = field(default_factory=list)
    name: str = NAME

    def _fault(self, call: str) -> None:
        waiting = self.faults.get(call, [])
        if waiting:
            raise waiting.pop(0)

    def machine(self, id_or_name: str) -> Machine:
        self._fault("machine")
        if id_or_name not in (MACHINE, NAME, "ws-07", self.name):
            raise NotFound("There is no such device in the tenant.", status=404, permanent=True)
        return replace(machine(), dns_name=self.name)

    def actions_of(self, machine_id: str) -> list[MachineAction]:
        self._fault("actions_of")
        return list(reversed(self.actions))

    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None:
        self._fault("find_action")
        return next((a for a in self.actions if comment_marker in a.comment), None)

    def machine_action(self, action_id: str) -> MachineAction:
        self._fault("machine_action")
        self.looks[action_id] = self.looks.get(action_id, 0) + 1
        place = next(n for n, action in enumerate(self.actions) if action.id == action_id)
        if self.looks[action_id] >= self.looks_needed and not self.actions[place].is_final:
            self.actions[place] = replace(self.actions[place], status=self.final, updated=now())
            self._take_effect(self.actions[place])
        return self.actions[place]

    def _take_effect(self, action: MachineAction) -> None:
        if action.status == "Succeeded":
            self.isolated = {"Isolate": True, "Unisolate": False}.get(action.type, self.isolated)
            names = {"RestrictCodeExecution": True, "UnrestrictCodeExecution": False}
            self.restricted = names.get(action.type, self.restricted)

    def cancel(self, action_id: str, comment: str) -> MachineAction:
        self._fault("cancel")
        self.cancelled.append(action_id)
        self.final = "Cancelled"
        return next(action for action in self.actions if action.id == action_id)

    def _change(self, kind: str, comment: str, scope: str = "") -> MachineAction:
        self._fault("change")
        if any(a.type == kind and not a.is_final for a in self.actions):
            raise ActiveRequestExists("Busy.", status=400)
        self.changes.append((kind, comment))
        action = machine_action(len(self.actions) + 1, kind, "Pending", comment, scope=scope)
        self.actions.append(action)
        self._then()
        return action

    def _then(self) -> None:
        if self.after:
            raise self.after.pop(0)

    def isolate(self, machine_id: str, comment: str, isolation_type: str = "Full") -> MachineAction:
        return self._change("Isolate", comment, isolation_type)

    def unisolate(self, machine_id: str, comment: str) -> MachineAction:
        return self._change("Unisolate", comment)

    def restrict(self, machine_id: str, comment: str) -> MachineAction:
        return self._change("RestrictCodeExecution", comment)

    def unrestrict(self, machine_id: str, comment: str) -> MachineAction:
        return self._change("UnrestrictCodeExecution", comment)

    def scan(self, machine_id: str, comment: str, *, full: bool = False) -> MachineAction:
        return self._change("RunAntiVirusScan", comment, "Full" if full else "Quick")

    def quarantine(self, machine_id: str, comment: str, sha1: str) -> MachineAction:
        return self._change("StopAndQuarantineFile", comment)

    def mitigation(self, machine_id: str) -> Mitigation | None:
        self._fault("mitigation")
        if not self.reports:
            return None
        return Mitigation(now(), self.isolated, self.restricted, '{"isolated": "True"}' if self.isolated else "")

    def find_indicator(self, value: str) -> TenantIndicator | None:
        self._fault("find_indicator")
        return self.indicators.get(value.lower())

    def put_indicator(
        self, value: str, type: str, action: str, *, title: str, description: str, expires: str = ""
    ) -> TenantIndicator:
        self._fault("change")
        self.changes.append(("put", value))
        number = str(2841 + len(self.changes))
        made = TenantIndicator(
            number, value, type, action, title, description, "IRCase", now(), expires, {"id": number}
        )
        self.indicators[value.lower()] = made
        self._then()
        return made

    def delete_indicator(self, indicator_id: str) -> None:
        self._fault("change")
        self.changes.append(("delete", indicator_id))
        self.indicators = {key: one for key, one in self.indicators.items() if one.id != indicator_id}
        self._then()

    @contextmanager
    def __call__(self, connection: Connection) -> Iterator["FakeResponder"]:
        yield self
