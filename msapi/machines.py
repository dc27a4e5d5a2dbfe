"""Defender's devices, actions and library files as values: what is known typed, the whole object kept beside it.

https://learn.microsoft.com/defender-endpoint/api/machine and .../machineaction
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msapi.reading import flag, mapping, number, objects, read_enum, text, texts


class ActionStatus(StrEnum):
    """Where a machine action stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimeOut"
    CANCELLED = "Cancelled"


FINAL = frozenset({ActionStatus.SUCCEEDED, ActionStatus.FAILED, ActionStatus.TIMED_OUT, ActionStatus.CANCELLED})


class CommandStatus(StrEnum):
    """Where one command of a Live Response session stands."""

    CREATED = "Created"
    COMPLETED = "Completed"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Machine:
    """A device. `last_seen` is its last full report, about daily, and says nothing about being online now."""

    id: str
    dns_name: str
    os_platform: str
    os_version: str
    health: str
    onboarding: str
    risk: str
    exposure: str
    value: str
    last_ip: str
    last_external_ip: str
    group: str
    tags: tuple[str, ...]
    entra_device_id: str
    first_seen: str
    last_seen: str
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogonUser:
    """An account seen to sign in to a device."""

    id: str
    name: str
    domain: str
    first_seen: str
    last_seen: str
    logon_types: str
    is_domain_admin: bool | None
    is_network_only: bool | None
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MachineAlert:
    """An alert as Defender for Endpoint tells it of a device."""

    id: str
    incident_id: str
    title: str
    severity: str
    status: str
    category: str
    created: str
    updated: str
    techniques: tuple[str, ...]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A file in the tenant's Live Response library; `sha256` in lower case."""

    name: str
    sha256: str
    description: str
    created: str
    updated: str
    created_by: str
    has_parameters: bool | None
    parameters: str
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommandState:
    """One command of a session: `index` is what its result is asked for by."""

    index: int
    type: str
    params: Mapping[str, str]
    status: str
    errors: tuple[str, ...]
    started: str
    ended: str


@dataclass(frozen=True, slots=True)
class MachineAction:
    """A response action or Live Response session on one device. Times are UTC text as sent."""

    id: str
    type: str
    status: str
    machine_id: str
    computer_name: str
    requestor: str
    comment: str
    created: str
    updated: str
    scope: str
    cancelled_by: str
    cancel_comment: str
    error_code: int
    commands: tuple[CommandState, ...]
    raw: Mapping[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether the action has ended; a status unknown here counts as not ended."""
        return self.status in FINAL

    @property
    def is_success(self) -> bool:
        """Whether the action ended well and none of its commands failed."""
        return self.status == ActionStatus.SUCCEEDED and not any(
            command.status == CommandStatus.FAILED for command in self.commands
        )

    @property
    def failure(self) -> str:
        """Why it did not end well, a line for each failed command; "" where nothing has failed."""
        reasons = [
            f"{command.type} (command {command.index}): {'; '.join(command.errors) or 'no reason given'}"
            for command in self.commands
            if command.status == CommandStatus.FAILED
        ]
        if not reasons and self.is_final and self.status != ActionStatus.SUCCEEDED:
            detail = self.cancel_comment or (f"error 0x{self.error_code & 0xFFFFFFFF:08X}" if self.error_code else "")
            reasons = [f"{self.type} ended as {self.status}" + (f": {detail}" if detail else "")]
        return "\n".join(reasons)


def read_machine(raw: Mapping[str, Any]) -> Machine:
    """A device. Never raises."""
    return Machine(
        id=text(raw, "id"),
        dns_name=text(raw, "computerDnsName"),
        os_platform=text(raw, "osPlatform"),
        os_version=text(raw, "version", "osVersion"),
        health=text(raw, "healthStatus"),
        onboarding=text(raw, "onboardingStatus"),
        risk=text(raw, "riskScore"),
        exposure=text(raw, "exposureLevel"),
        value=text(raw, "deviceValue"),
        last_ip=text(raw, "lastIpAddress"),
        last_external_ip=text(raw, "lastExternalIpAddress"),
        group=text(raw, "rbacGroupName"),
        tags=texts(raw, "machineTags"),
        entra_device_id=text(raw, "aadDeviceId"),
        first_seen=text(raw, "firstSeen"),
        last_seen=text(raw, "lastSeen"),
        raw=raw,
    )


def read_logon_user(raw: Mapping[str, Any]) -> LogonUser:
    """An account of a device. Never raises."""
    return LogonUser(
        id=text(raw, "id"),
        name=text(raw, "accountName"),
        domain=text(raw, "accountDomain"),
        first_seen=text(raw, "firstSeen"),
        last_seen=text(raw, "lastSeen"),
        logon_types=text(raw, "logonTypes"),
        is_domain_admin=flag(raw, "isDomainAdmin"),
        is_network_only=flag(raw, "isOnlyNetworkUser"),
        raw=raw,
    )


def read_machine_alert(raw: Mapping[str, Any]) -> MachineAlert:
    """An alert of a device. Never raises."""
    return MachineAlert(
        id=text(raw, "id"),
        incident_id=text(raw, "incidentId"),
        title=text(raw, "title"),
        severity=text(raw, "severity"),
        status=text(raw, "status"),
        category=text(raw, "category"),
        created=text(raw, "alertCreationTime"),
        updated=text(raw, "lastUpdateTime"),
        techniques=texts(raw, "mitreTechniques"),
        raw=raw,
    )


def read_library_file(raw: Mapping[str, Any]) -> LibraryFile:
    """A library file. Never raises."""
    return LibraryFile(
        name=text(raw, "fileName"),
        sha256=text(raw, "sha256").lower(),
        description=text(raw, "description"),
        created=text(raw, "creationTime"),
        updated=text(raw, "lastUpdatedTime"),
        created_by=text(raw, "createdBy"),
        has_parameters=flag(raw, "hasParameters"),
        parameters=text(raw, "parametersDescription"),
        raw=raw,
    )


def read_action(raw: Mapping[str, Any]) -> MachineAction:
    """An action. Never raises."""
    return MachineAction(
        id=text(raw, "id"),
        type=text(raw, "type"),
        status=read_enum(ActionStatus, text(raw, "status")),
        machine_id=text(raw, "machineId"),
        computer_name=text(raw, "computerDnsName"),
        requestor=text(raw, "requestor"),
        comment=text(raw, "requestorComment"),
        created=text(raw, "creationDateTimeUtc"),
        # Lists and single answers spell it differently.
        updated=text(raw, "lastUpdateDateTimeUtc", "lastUpdateTimeUtc"),
        scope=text(raw, "scope"),
        cancelled_by=text(raw, "cancellationRequestor"),
        cancel_comment=text(raw, "cancellationComment"),
        error_code=number(raw, "errorHResult") or 0,
        commands=tuple(_command(place, item) for place, item in enumerate(objects(raw, "commands"))),
        raw=raw,
    )


def _command(place: int, raw: Mapping[str, Any]) -> CommandState:
    command = mapping(raw, "command")
    index = number(raw, "index")
    return CommandState(
        index=place if index is None else index,
        type=text(command, "type"),
        params={text(item, "key"): text(item, "value") for item in objects(command, "params")},
        status=read_enum(CommandStatus, text(raw, "commandStatus")),
        errors=texts(raw, "errors"),
        started=text(raw, "startTime"),
        ended=text(raw, "endTime"),
    )
