"""What IRCase's snapshot scripts print on a device of the story: JSON between two lines, the same at each moment."""

from __future__ import annotations

import json
from typing import Any

from simulator.clock import iso
from simulator.dfir import sections
from simulator.dfir.facts import Facts
from simulator.story.images import SVCHOST
from simulator.story.world import NETBIOS

BEGIN, END = "-----BEGIN IRCASE JSON-----", "-----END IRCASE JSON-----"
Rows = list[dict[str, Any]]
_PORTS = (
    ("Tcp", 135, "svchost.exe"),
    ("Tcp", 445, "System"),
    ("Tcp", 3389, "svchost.exe"),
    ("Udp", 5353, "svchost.exe"),
)
_NEW_USER = "svc-edgesync"


def printed_by(script: str, facts: Facts) -> str:
    """The lines that the script prints, "" where it is none of the snapshots."""
    tables = _TABLES.get(script.lower())
    if tables is None:
        return ""
    common = {"SnapshotTime": iso(facts.moment), "DeviceName": facts.device.name}
    found = {name: [common | row for row in rows(facts)] for name, rows in tables.items()}
    document = {
        "format": "ircase-snapshot", "version": 1, "script": script, "device": facts.device.name,
        "snapshot_time": iso(facts.moment), "tables": found,
        "errors": [], "cut": {},
    }  # fmt: skip
    return "\r\n".join((BEGIN, json.dumps(document, separators=(",", ":"), ensure_ascii=False), END))


def _processes(facts: Facts) -> Rows:
    return [
        {
            "ProcessId": row["Proc_ProcessId"], "ParentProcessId": row["Proc_ParentProcessId"],
            "FileName": row["Proc_Name"], "FolderPath": row["Proc_Path"], "ProcessCommandLine": row["Proc_CommandLine"],
            "SHA256": row["Proc_Hash"].lower(), "AccountName": r"NT AUTHORITY\SYSTEM", "ProcessCreationTime": None,
            "SessionId": 0,
        }
        for row in sections.process_list(facts)
    ]  # fmt: skip


def _connections(facts: Facts) -> Rows:
    paths = {row["Proc_Name"].lower(): row["Proc_Path"] for row in sections.process_list(facts)}
    listening: Rows = [
        {
            "Protocol": protocol, "State": "Listen", "LocalIP": "0.0.0.0", "LocalPort": port, "RemoteIP": None,
            "RemotePort": None, "ProcessId": 4 if name == "System" else 892, "FileName": name,
            "FolderPath": None if name == "System" else SVCHOST.path, "CreationTime": None,
        }
        for protocol, port, name in _PORTS
    ]  # fmt: skip
    return listening + [
        {
            "Protocol": "Tcp", "State": "Established", "LocalIP": row["LocalIP"], "LocalPort": row["LocalPort"],
            "RemoteIP": row["RemoteIP"], "RemotePort": row["RemotePort"], "ProcessId": row["InitiatingProcessId"],
            "FileName": row["FileName"], "FolderPath": paths.get(str(row["FileName"]).lower()),
            "CreationTime": iso(row["Timestamp"]),
        }
        for row in facts.connections()
    ]  # fmt: skip


def _autoruns(facts: Facts) -> Rows:
    return [
        {
            "Kind": "RunKey", "Location": row["Location"], "Name": row["Name"], "Command": row["Command"],
            "AccountName": "" if row["User"] == "Public" else row["User"], "SHA256": None,
        }
        for row in sections.auto_run(facts)
    ]  # fmt: skip


def _services(facts: Facts) -> Rows:
    """Windows' own, and what the registry says of those that were installed."""
    paths = {event["extra"].get("ServiceName"): event for event in facts.device_events("ServiceInstalled")}
    rows = []
    for row in sections.services(facts):
        event = paths.get(row["Name"])
        path = event["FolderPath"] if event else f"{SVCHOST.path} -k netsvcs -p"
        rows.append(
            {"Name": row["Name"], "DisplayName": row["DisplayName"], "State": row["Status"], "StartMode": "Auto",
             "PathName": path, "AccountName": "LocalSystem", "ProcessId": 0 if event else 892}
        )  # fmt: skip
    return rows


def _tasks(facts: Facts) -> Rows:
    made = {event["extra"].get("TaskName"): event["extra"] for event in facts.device_events("ScheduledTaskCreated")}
    rows = []
    for row in sections.scheduled_tasks(facts):
        content = str((made.get(row["URI"]) or {}).get("TaskContent", ""))
        command = content.partition("<Command>")[2].partition("</Command>")[0]
        rows.append(
            {"TaskPath": row["TaskPath"], "TaskName": row["TaskName"], "State": row["State"], "Enabled": True,
             "Command": command or rf"%windir%\system32\{row['TaskName'].split()[0].lower()}.exe",
             "Triggers": "TimeTrigger PT30M" if command else "DailyTrigger", "AccountName": "SYSTEM",
             "Author": None if command else row["Author"], "LastRunTime": None, "NextRunTime": None,
             "LastTaskResult": 0}
        )  # fmt: skip
    return rows


def _users(facts: Facts) -> Rows:
    rows: Rows = [
        {"AccountName": row["Name"], "Sid": row["SID"], "Kind": "LocalUser", "Enabled": row["Enabled"] == "True",
         "Groups": ["Administrators"] if row["Name"] in ("Administrator", "localops") else ["Guests"],
         "FullName": "", "Description": row["Description"], "PasswordLastSet": None, "LastLogon": None}
        for row in sections.local_users(facts)
    ]  # fmt: skip
    if has_intruder(facts):
        rows.append(
            {"AccountName": _NEW_USER, "Sid": rows[0]["Sid"].rpartition("-")[0] + "-1002", "Kind": "LocalUser",
             "Enabled": True, "Groups": ["Administrators", "Remote Desktop Users"], "FullName": "Edge sync",
             "Description": "", "PasswordLastSet": None, "LastLogon": None}
        )  # fmt: skip
    return [*rows, {"AccountName": rf"{NETBIOS}\Domain Admins", "Sid": "S-1-5-21-1-2-3-512", "Kind": "GroupMember",
                    "Groups": ["Administrators"]}]  # fmt: skip


def has_intruder(facts: Facts) -> bool:
    """Whether the intruder's task was made on the device by then."""
    return bool(facts.device_events("ScheduledTaskCreated"))


_TABLES = {
    "ircase-snapshot-processes.ps1": {"DeviceProcessSnapshot": _processes},
    "ircase-snapshot-connections.ps1": {"DeviceConnectionSnapshot": _connections},
    "ircase-snapshot-persistence.ps1": {
        "DeviceAutorunSnapshot": _autoruns, "DeviceServiceSnapshot": _services, "DeviceTaskSnapshot": _tasks,
        "DeviceUserSnapshot": _users,
    },
}  # fmt: skip
