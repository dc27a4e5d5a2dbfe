"""What a tenant's Live Response is to the runner: the calls it makes, and nothing more."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol

from ircase.models import Connection
from ircase.services import connections
from msapi.blobs import Downloaded
from msapi.clients import clients_for
from msapi.commands import LiveResponseCommand
from msapi.machines import LibraryFile, Machine, MachineAction


class Tenant(Protocol):
    """
    SHALL raise an `ApiError` where it cannot answer, `Ambiguous` where a submission may or may not have happened.
    SHALL never repeat a submission by itself.
    """

    def machine(self, id_or_name: str) -> Machine: ...
    def machines(self, filter: str = "", limit: int | None = None) -> Iterator[Machine]: ...
    def machines_by_tag(self, tag: str) -> Iterator[Machine]: ...
    def library_files(self) -> Iterator[LibraryFile]: ...
    def run_live_response(
        self, machine_id: str, commands: Sequence[LiveResponseCommand], comment: str
    ) -> MachineAction: ...
    def machine_action(self, action_id: str) -> MachineAction: ...
    def machine_actions(self, filter: str = "", limit: int | None = None) -> Iterator[MachineAction]: ...
    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None: ...
    def cancel(self, action_id: str, comment: str) -> MachineAction: ...
    def live_response_result_link(self, action_id: str, index: int = 0) -> str: ...
    def download(self, link: str, sink: IO[bytes]) -> Downloaded: ...


class Opener(Protocol):
    def __call__(self, connection: Connection) -> AbstractContextManager[Tenant]: ...


@contextmanager
def open_tenant(connection: Connection) -> Iterator[Tenant]:
    """The tenant of a connection, over the network."""
    yield clients_for(connections.endpoint(connection)).defender
