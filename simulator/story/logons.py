"""Logons, told twice as in a real tenant: by the Defender sensor (DeviceLogonEvents) and by Windows (SecurityEvent)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.story.recorder import Account, Process, Recorder, fragment, ip_type
from simulator.story.world import DOMAIN, NETBIOS, Device

# https://learn.microsoft.com/windows-server/identity/securing-privileged-access/reference-tools-logon-types
_TYPE_NUMBERS = {"Interactive": 2, "Network": 3, "Batch": 4, "Service": 5, "Unlock": 7, "RemoteInteractive": 10}
_PROVIDER = "Microsoft-Windows-Security-Auditing"
_ACTIVITIES = {
    1102: "1102 - The audit log was cleared.",
    4624: "4624 - An account was successfully logged on.",
    4625: "4625 - An account failed to log on.",
    4672: "4672 - Special privileges assigned to new logon.",
    4688: "4688 - A new process has been created.",
    4697: "4697 - A service was installed in the system.",
    4698: "4698 - A scheduled task was created.",
    4720: "4720 - A user account was created.",
    5140: "5140 - A network share object was accessed.",
}


@dataclass(frozen=True)
class Logon:
    """One attempt to log on. `ip` and `remote_device`: where it came from; `failure`: Defender's reason, if any."""

    account: Account
    kind: str
    ip: str = ""
    remote_device: str = ""
    failure: str = ""
    protocol: str = "Negotiate"
    local_admin: bool = False
    remote_port: int = 0


def security_event(recorder: Recorder, device: Device, moment: int, event_id: int, values: dict[str, Any]) -> None:
    """A row of SecurityEvent on a device."""
    fixed = {
        "Computer": device.name,
        "EventSourceName": _PROVIDER if event_id != 1102 else "Microsoft-Windows-Eventlog",
        "Channel": "Security",
        "EventID": event_id,
        "Activity": _ACTIVITIES[event_id],
        "Level": "0" if event_id != 1102 else "4",
        "SourceComputerId": device.aad_id,
        "EventRecordId": str(recorder.counts["SecurityEvent"] + 100_000),
    }
    recorder.row("SecurityEvent", moment, {**fixed, **values})


def logon(recorder: Recorder, device: Device, moment: int, attempt: Logon, process: Process | None = None) -> None:
    """Record one logon attempt in both tables."""
    number = (moment // 1000) % 0xFFFFFF
    _sensor_row(recorder, device, moment, attempt, number, process)
    _windows_row(recorder, device, moment, attempt, number)


def _sensor_row(
    recorder: Recorder, device: Device, moment: int, attempt: Logon, number: int, process: Process | None
) -> None:
    values = {
        "ActionType": "LogonFailed" if attempt.failure else "LogonSuccess",
        "LogonType": attempt.kind,
        "AccountDomain": attempt.account.domain,
        "AccountName": attempt.account.name,
        "AccountSid": "" if attempt.failure == "UnknownUser" else attempt.account.sid,
        "Protocol": attempt.protocol,
        "FailureReason": attempt.failure,
        "IsLocalAdmin": attempt.local_admin if not attempt.failure else None,
        "LogonId": None if attempt.failure else number,
        "RemoteDeviceName": attempt.remote_device,
        "RemoteIP": attempt.ip,
        "RemoteIPType": ip_type(attempt.ip) if attempt.ip else "",
        "RemotePort": attempt.remote_port or None,
        "AdditionalFields": {"IsLocalLogon": attempt.kind == "Interactive"},
    }
    initiator = process.initiator_with_rights if process else ""
    recorder.device_row("DeviceLogonEvents", device, moment, fragment(values), initiator)


def _windows_row(recorder: Recorder, device: Device, moment: int, attempt: Logon, number: int) -> None:
    domain = NETBIOS if attempt.account.upn else attempt.account.domain.upper()
    values = {
        "Account": f"{domain}\\{attempt.account.name}",
        "AccountType": "User",
        "TargetAccount": f"{domain}\\{attempt.account.name}",
        "TargetUserName": attempt.account.name,
        "TargetDomainName": domain,
        "TargetUserSid": attempt.account.sid if not attempt.failure else "S-1-0-0",
        "TargetLogonId": None if attempt.failure else hex(number),
        "LogonType": _TYPE_NUMBERS[attempt.kind],
        "LogonTypeName": f"{_TYPE_NUMBERS[attempt.kind]} - {attempt.kind}",
        "LogonProcessName": "User32" if attempt.kind in {"Interactive", "RemoteInteractive"} else "NtLmSsp",
        "AuthenticationPackageName": attempt.protocol,
        "IpAddress": attempt.ip or "-",
        "IpPort": str(attempt.remote_port) if attempt.remote_port else "-",
        "WorkstationName": attempt.remote_device.removesuffix(f".{DOMAIN}").upper() or "-",
        "SubjectUserName": device.computer + "$",
        "SubjectDomainName": NETBIOS,
    }
    if attempt.failure:
        wrong_password = attempt.failure == "InvalidUserNameOrPassword"
        values |= {"Status": "0xc000006d", "SubStatus": "0xc000006a" if wrong_password else "0xc0000064"}
    security_event(recorder, device, moment, 4625 if attempt.failure else 4624, values)


def process_event(recorder: Recorder, process: Process) -> None:
    """The 4688 twin of a process creation, where the audit policy asks for it: servers and the jump host."""
    parent = process.parent
    values = {
        "Account": f"{NETBIOS}\\{process.account.name}",
        "SubjectUserName": process.account.name,
        "SubjectDomainName": process.account.domain.upper(),
        "SubjectUserSid": process.account.sid,
        "NewProcessName": process.image.path,
        "Process": process.image.name,
        "NewProcessId": hex(process.pid),
        "CommandLine": process.command,
        "ParentProcessName": parent.image.path if parent else None,
        "ProcessId": hex(parent.pid) if parent else None,
        "TokenElevationType": "%%1937" if process.elevation == "TokenElevationTypeFull" else "%%1936",
    }
    security_event(recorder, process.device, process.created, 4688, values)
