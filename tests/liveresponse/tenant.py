"""A tenant that answers as it is told: what the runner's `Tenant` protocol promises, and every way to break it."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from ircase.models import Connection
from msapi.blobs import Downloaded
from msapi.commands import GetFile, LiveResponseCommand, PutFile, RunScript
from msapi.errors import ApiError, NotFound
from msapi.governor import Bucket, Granted, Load, Wait
from msapi.machines import CommandState, LibraryFile, Machine, MachineAction

MACHINE = "a" * 40
SCRIPT_SHA = "5" * 64
ZIP_PATH = r"C:\ProgramData\Downloads\DFIR-WS07-2026-01-18.zip"
TRANSCRIPT = f"Transcript started\r\nWrite results to {ZIP_PATH}...\r\n"


def transcript(output: str = TRANSCRIPT, exit_code: int = 0, errors: str = "") -> bytes:
    return json.dumps(
        {"script_name": "DFIR-Script.ps1", "exit_code": exit_code, "script_output": output, "script_errors": errors}
    ).encode()


def machine() -> Machine:
    return Machine(
        MACHINE,
        "ws-07.contoso.com",
        "Windows11",
        "23H2",
        "Active",
        "Onboarded",
        "High",
        "Low",
        "Normal",
        "10.0.0.7",
        "",
        "",
        (),
        "",
        "",
        "",
        {},
    )


@dataclass
class FakeTenant:
    """Actions finish at the second look unless told otherwise. `faults` are raised by the named call, in order."""

    scripts: dict[str, str] = field(
        default_factory=lambda: {"DFIR-Script.ps1": SCRIPT_SHA, "CollectWindowsSecurityEvents.ps1": "6" * 64}
    )
    results: list[bytes] = field(default_factory=list)
    faults: dict[str, list[ApiError]] = field(default_factory=dict)
    submit_then_fail: list[ApiError] = field(default_factory=list)
    final: str = "Succeeded"
    command_status: str = "Completed"
    errors: tuple[str, ...] = ()
    looks_needed: int = 2
    actions: dict[str, MachineAction] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    submitted: list[tuple[LiveResponseCommand | None, str]] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    platform: str = "Windows11"
    cancelled: list[str] = field(default_factory=list)
    fleet: list[Machine] = field(default_factory=lambda: [machine()])
    listed: list[MachineAction] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    damaged: int = 0
    """How many downloads bring other bytes than the store keeps."""

    def _fault(self, call: str) -> None:
        waiting = self.faults.get(call, [])
        if waiting:
            raise waiting.pop(0)

    def machine(self, id_or_name: str) -> Machine:
        self._fault("machine")
        if id_or_name not in (MACHINE, "ws-07.contoso.com"):
            raise NotFound("There is no such device in the tenant.", status=404, permanent=True)
        return replace(machine(), os_platform=self.platform)

    def machines(self, filter: str = "", limit: int | None = None) -> Iterator[Machine]:
        """Devices whose name or id the filter holds, each a text in quotes."""
        self._fault("machines")
        self.filters.append(filter)
        wanted = [part.split("'")[1] for part in filter.split(" or ")]
        return (
            one for one in self.fleet if any(w in (one.id, one.dns_name) or one.dns_name.startswith(w) for w in wanted)
        )

    def machines_by_tag(self, tag: str) -> Iterator[Machine]:
        self._fault("machines_by_tag")
        return (one for one in self.fleet if tag in one.tags)

    def machine_actions(self, filter: str = "", limit: int | None = None) -> Iterator[MachineAction]:
        self._fault("machine_actions")
        self.filters.append(filter)
        return iter(list(self.listed))

    def library_files(self) -> Iterator[LibraryFile]:
        self._fault("library_files")
        return iter([LibraryFile(n, s, "", "", "", "ada", None, "", {}) for n, s in self.scripts.items()])

    def run_live_response(
        self, machine_id: str, commands: Sequence[LiveResponseCommand], comment: str
    ) -> MachineAction:
        self._fault("run_live_response")
        self.submitted.append((commands[0], comment))
        action_id = f"action-{len(self.submitted)}"
        kind = commands[0].as_json()["type"]
        action = MachineAction(
            action_id,
            "LiveResponse",
            "Pending",
            machine_id,
            "ws-07",
            "IRCase",
            comment,
            "2026-01-18T10:00:00Z",
            "",
            "",
            "",
            "",
            0,
            (CommandState(0, kind, {}, "Created", (), "", ""),),
            {},
        )
        self.actions[action_id] = action
        if self.submit_then_fail:
            raise self.submit_then_fail.pop(0)
        return action

    def collect_package(self, machine_id: str, comment: str) -> MachineAction:
        self._fault("collect_package")
        action = self.run_live_response(machine_id, [PutFile("package")], comment)
        self.packages.append(action.id)
        self.submitted.pop()
        self.submitted.append((None, comment))
        self.actions[action.id] = replace(action, type="CollectInvestigationPackage", commands=())
        return self.actions[action.id]

    def package_link(self, action_id: str) -> str:
        self._fault("package_link")
        return f"https://store.blob.core.windows.net/{action_id}?sig=secret"

    def machine_action(self, action_id: str) -> MachineAction:
        self._fault("machine_action")
        self.looks[action_id] = self.looks.get(action_id, 0) + 1
        action = self.actions[action_id]
        if self.looks[action_id] < self.looks_needed:
            return action
        if not action.commands:
            return replace(action, status=self.final)
        command = replace(action.commands[0], status=self.command_status, errors=self.errors)
        return replace(action, status=self.final, commands=(command,))

    def find_action(self, machine_id: str, comment_marker: str) -> MachineAction | None:
        self._fault("find_action")
        return next((a for a in self.actions.values() if comment_marker in a.comment), None)

    def cancel(self, action_id: str, comment: str) -> MachineAction:
        self._fault("cancel")
        self.cancelled.append(action_id)
        return self.actions[action_id]

    def live_response_result_link(self, action_id: str, index: int = 0) -> str:
        self._fault("live_response_result_link")
        return f"https://store.blob.core.windows.net/{action_id}?sig=secret"

    def download(self, link: str, sink: IO[bytes]) -> Downloaded:
        self._fault("download")
        command, _ = self.submitted[int(link.split("action-")[1].split("?")[0]) - 1]
        content = self.results.pop(0) if self.results else self._result(command)
        sink.write(content)
        self.damaged -= 1
        packed = content.startswith(b"\x1f\x8b")
        return Downloaded(len(content), hashlib.sha256(content).hexdigest(), packed, self.damaged >= 0)

    def _result(self, command: LiveResponseCommand | None) -> bytes:
        if command is None:
            return b"PK\x03\x04 an investigation package"
        if isinstance(command, RunScript):
            return transcript()
        assert isinstance(command, GetFile)
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
            file.write(b"PK the zip of " + command.path.encode())
        return packed.getvalue()

    @contextmanager
    def __call__(self, connection: Connection) -> Iterator["FakeTenant"]:
        yield self


@dataclass
class FakeGovernor:
    """Grants sessions at once, or tells `waits` to wait first; reads until `reads_allowed` are spent."""

    waits: int = 0
    reads: int = 0
    reads_allowed: int = 1_000_000
    asked: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    held: int = 0
    waiting: int = 0
    released: list[str] = field(default_factory=list)
    penalties: list[float] = field(default_factory=list)

    def acquire(self, bucket: Bucket, ticket: str, priority: int = 5, flow: str = "") -> Granted | Wait:
        if bucket.api == "defender":
            self.reads += 1
            return Wait(9.0, 1, 9.0) if self.reads > self.reads_allowed else Granted(bucket, ticket, "nonce")
        self.asked.append(ticket)
        if self.waits:
            self.waits -= 1
            return Wait(12.0, 3, 40.0)
        return Granted(bucket, ticket, "nonce")

    def release(self, granted: Granted) -> bool:
        if granted.bucket.api != "defender":
            self.released.append(granted.ticket)
        return True

    def made(self, granted: Granted) -> bool:
        return True

    def leave(self, bucket: Bucket, ticket: str, flow: str = "") -> bool:
        self.left.append(ticket)
        return True

    def first(self, bucket: Bucket, number: int) -> list[str]:
        return self.line[:number]

    def load(self, bucket: Bucket) -> Load:
        return Load(0, 0, self.held, self.waiting, 0.0)

    def renew(self, granted: Granted) -> bool:
        return True

    def penalise(self, bucket: Bucket, seconds: float) -> float:
        self.penalties.append(seconds)
        return seconds
