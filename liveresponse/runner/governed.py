"""Defender's calls within its quota: 100 a minute and 1,500 an hour for everything, shared by all workers.

https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final, TypeVar

from ircase.models import Connection
from ircase.services import connections
from liveresponse.providers import Tenant
from liveresponse.runner.polling import NotYet
from msapi.blobs import Downloaded
from msapi.commands import LiveResponseCommand
from msapi.errors import GovernorUnavailable, Throttled
from msapi.governor import Bucket, Governor, Granted, Wait, defender_bucket
from msapi.machines import LibraryFile, Machine, MachineAction

T = TypeVar("T")
FIRST: Final = 2
"""The priority of what all jobs of a tenant wait for."""
LONGEST: Final = 300.0


@dataclass(frozen=True)
class Governed:
    """A tenant whose every call takes its turn; NotYet where there is none now. Submitting has turns of its own and
    takes one here by `turn` before the intent is written: after it, nothing may come between."""

    tenant: Tenant
    governor: Governor
    bucket: Bucket
    ticket: str
    priority: int = 5

    def turn(self) -> Granted:
        """Take a turn for one call. Raises NotYet."""
        answer = self.governor.acquire(self.bucket, self.ticket, self.priority)
        if isinstance(answer, Wait):
            text = f"Defender's quota is used up for now; going on in about {answer.eta:.0f} s"
            raise NotYet(text, min(max(answer.eta, 0.05), LONGEST))
        self.governor.release(answer)
        return answer

    def _call(self, call: Callable[[], T]) -> T:
        granted = self.turn()
        try:
            return call()
        except Throttled as error:
            self.governor.penalise(self.bucket, error.retry_after or 60.0)
            raise
        finally:
            with suppress(GovernorUnavailable):
                self.governor.made(granted)

    def machine(self, id_or_name: str) -> Machine:
        return self._call(lambda: self.tenant.machine(id_or_name))

    def machines(self, filter: str = "", limit: int | None = None) -> Iterator[Machine]:
        return iter(self._call(lambda: list(self.tenant.machines(filter, limit))))

    def machines_by_tag(self, tag: str) -> Iterator[Machine]:
        return iter(self._call(lambda: list(self.tenant.machines_by_tag(tag))))

    def library_files(self) -> Iterator[LibraryFile]:
        return iter(self._call(lambda: list(self.tenant.library_files())))

    def run_live_response(
        self, machine_id: str, commands: Sequence[LiveResponseCommand], comment: str
    ) -> MachineAction:
        return self.tenant.run_live_response(machine_id, commands, comment)

    def collect_package(self, machine_id: str, comment: str) -> MachineAction:
        return self.tenant.collect_package(machine_id, comment)

    def package_link(self, action_id: str) -> str:
        """Has turns of its own, far fewer."""
        return self.tenant.package_link(action_id)

    def machine_action(self, action_id: str) -> MachineAction:
        return self._call(lambda: self.tenant.machine_action(action_id))

    def machine_actions(self, filter: str = "", limit: int | None = None) -> Iterator[MachineAction]:
        return iter(self._call(lambda: list(self.tenant.machine_actions(filter, limit))))

    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None:
        return self._call(lambda: self.tenant.find_action(machine_id, comment_marker))

    def cancel(self, action_id: str, comment: str) -> MachineAction:
        return self._call(lambda: self.tenant.cancel(action_id, comment))

    def live_response_result_link(self, action_id: str, index: int = 0) -> str:
        return self._call(lambda: self.tenant.live_response_result_link(action_id, index))

    def download(self, link: str, sink: IO[bytes]) -> Downloaded:
        return self.tenant.download(link, sink)


def govern(tenant: Tenant, governor: Governor, connection: Connection, ticket: str, priority: int = 5) -> Governed:
    """The tenant of `connection`, its calls governed. `ticket` keeps the caller's place from one move to the next."""
    bucket = defender_bucket(connections.endpoint(connection))
    return Governed(tenant, governor, bucket, f"{ticket} read", priority)
