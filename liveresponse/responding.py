"""What a tenant is to a response action: the calls it makes, and nothing more."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from ircase.models import Connection
from ircase.services import connections
from msapi.clients import clients_for
from msapi.defender import Defender
from msapi.graph import GraphSecurity
from msapi.indicators import Indicators, TenantIndicator
from msapi.machines import Machine, MachineAction
from msapi.mitigation import Mitigation, question, read_mitigation

LOOKED_BACK = 200
"""How many of a device's last actions are read."""


class Responder(Protocol):
    """
    SHALL raise an `ApiError` where it cannot answer, `Ambiguous` where a change may or may not have happened.
    SHALL never repeat a change by itself.
    """

    def machine(self, id_or_name: str) -> Machine: ...
    def actions_of(self, machine_id: str) -> list[MachineAction]: ...
    def machine_action(self, action_id: str) -> MachineAction: ...
    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None: ...
    def cancel(self, action_id: str, comment: str) -> MachineAction: ...
    def isolate(self, machine_id: str, comment: str, isolation_type: str = "Full") -> MachineAction: ...
    def unisolate(self, machine_id: str, comment: str) -> MachineAction: ...
    def restrict(self, machine_id: str, comment: str) -> MachineAction: ...
    def unrestrict(self, machine_id: str, comment: str) -> MachineAction: ...
    def scan(self, machine_id: str, comment: str, *, full: bool = False) -> MachineAction: ...
    def quarantine(self, machine_id: str, comment: str, sha1: str) -> MachineAction: ...
    def mitigation(self, machine_id: str) -> Mitigation | None: ...
    def find_indicator(self, value: str) -> TenantIndicator | None: ...
    def put_indicator(
        self, value: str, type: str, action: str, *, title: str, description: str, expires: str = ""
    ) -> TenantIndicator: ...
    def delete_indicator(self, indicator_id: str) -> None: ...


class ResponderOpener(Protocol):
    def __call__(self, connection: Connection) -> AbstractContextManager[Responder]: ...


@dataclass(frozen=True)
class LiveResponder:
    """A tenant over the network."""

    defender: Defender
    graph: GraphSecurity
    indicators: Indicators

    def machine(self, id_or_name: str) -> Machine:
        return self.defender.machine(id_or_name)

    def actions_of(self, machine_id: str) -> list[MachineAction]:
        """The device's last actions, newest first."""
        return list(self.defender.machine_actions(f"machineId eq '{machine_id}'", LOOKED_BACK))

    def machine_action(self, action_id: str) -> MachineAction:
        return self.defender.machine_action(action_id)

    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None:
        return self.defender.find_action(machine_id, comment_marker)

    def cancel(self, action_id: str, comment: str) -> MachineAction:
        return self.defender.cancel(action_id, comment)

    def isolate(self, machine_id: str, comment: str, isolation_type: str = "Full") -> MachineAction:
        return self.defender.isolate(machine_id, comment, isolation_type)

    def unisolate(self, machine_id: str, comment: str) -> MachineAction:
        return self.defender.unisolate(machine_id, comment)

    def restrict(self, machine_id: str, comment: str) -> MachineAction:
        return self.defender.restrict(machine_id, comment)

    def unrestrict(self, machine_id: str, comment: str) -> MachineAction:
        return self.defender.unrestrict(machine_id, comment)

    def scan(self, machine_id: str, comment: str, *, full: bool = False) -> MachineAction:
        return self.defender.scan(machine_id, comment, full=full)

    def quarantine(self, machine_id: str, comment: str, sha1: str) -> MachineAction:
        return self.defender.quarantine(machine_id, comment, sha1)

    def mitigation(self, machine_id: str) -> Mitigation | None:
        """What the device itself last said; None where hunting knows no report of it."""
        with self.graph.hunt(question(machine_id), "P7D") as result:
            row = next(iter(result.rows), None)
            names = [column.name for column in result.columns]
        return None if row is None else read_mitigation(dict(zip(names, row, strict=False)))

    def find_indicator(self, value: str) -> TenantIndicator | None:
        return self.indicators.find(value)

    def put_indicator(
        self, value: str, type: str, action: str, *, title: str, description: str, expires: str = ""
    ) -> TenantIndicator:
        return self.indicators.put(value, type, action, title=title, description=description, expires=expires)

    def delete_indicator(self, indicator_id: str) -> None:
        self.indicators.delete(indicator_id)


@contextmanager
def open_responder(connection: Connection) -> Iterator[Responder]:
    """The tenant of a connection, over the network."""
    clients = clients_for(connections.endpoint(connection))
    yield LiveResponder(clients.defender, clients.graph, Indicators(clients.transport))
