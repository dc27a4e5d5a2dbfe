"""Security events as Get-EventLog gives them: sixteen columns, a message over many lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.dfir.facts import Facts

COLUMNS = (
    "EventID", "MachineName", "Data", "Index", "Category", "CategoryNumber", "EntryType", "Message", "Source",
    "ReplacementStrings", "InstanceId", "TimeGenerated", "TimeWritten", "UserName", "Site", "Container",
)  # fmt: skip
# https://learn.microsoft.com/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/advanced-security-audit-policy-settings
_CATEGORIES = {4624: 12544, 4625: 12544, 4672: 12548, 4688: 13312, 4697: 12289, 4698: 12804, 5140: 12808, 1102: 104}
_SOURCE = "Microsoft-Windows-Security-Auditing"


def _account(title: str, sid: str, name: str, domain: str) -> str:
    return f"{title}:\r\n\tSecurity ID:\t\t{sid}\r\n\tAccount Name:\t\t{name}\r\n\tAccount Domain:\t\t{domain}\r\n"


def _message(row: dict[str, Any]) -> str:
    """The event's text. Microsoft's layout of sections, tabs and line breaks; the words kept to the fields."""
    event = row["EventID"]
    title = row["Activity"].partition(" - ")[2]
    subject = _account("Subject", "S-1-5-18", row["SubjectUserName"] or "-", row["SubjectDomainName"] or "-")
    if event in (4624, 4625):
        who = "New Logon" if event == 4624 else "Account For Which Logon Failed"
        target = _account(
            who, row["TargetUserSid"] or "S-1-0-0", row["TargetUserName"] or "-", row["TargetDomainName"] or "-"
        )
        failure = (
            f"Failure Information:\r\n\tStatus:\t\t\t{row['Status']}\r\n\tSub Status:\t\t{row['SubStatus']}\r\n\r\n"
        )
        network = (
            f"Network Information:\r\n\tWorkstation Name:\t{row['WorkstationName'] or '-'}\r\n"
            f"\tSource Network Address:\t{row['IpAddress'] or '-'}\r\n\tSource Port:\t\t{row['IpPort'] or '-'}\r\n"
        )
        detail = (
            "Detailed Authentication Information:\r\n"
            f"\tLogon Process:\t\t{row['LogonProcessName'] or '-'}\r\n"
            f"\tAuthentication Package:\t{row['AuthenticationPackageName'] or '-'}\r\n"
        )
        kind = f"Logon Type:\t\t\t{row['LogonType']}\r\n"
        return "\r\n".join(
            [f"{title}\r\n", subject, kind, (failure if event == 4625 else "") + target, network, detail]
        )
    if event == 4688:
        process = (
            f"Process Information:\r\n\tNew Process Name:\t{row['NewProcessName']}\r\n"
            f"\tCreator Process Name:\t{row['ParentProcessName'] or ''}\r\n"
            f"\tProcess Command Line:\t{row['CommandLine'] or ''}\r\n"
        )
        return "\r\n".join([f"{title}\r\n", subject, process])
    if event == 4697:
        service = (
            f"Service Information:\r\n\tService Name:\t\t{row['ServiceName']}\r\n"
            f"\tService File Name:\t{row['ServiceFileName']}\r\n"
        )
        return "\r\n".join([f"{title}\r\n", subject, service])
    if event == 5140:
        share = (
            f"Network Information:\r\n\tSource Address:\t\t{row['IpAddress']}\r\n\r\n"
            f"Share Information:\r\n\tShare Name:\t\t{row['ShareName']}\r\n"
        )
        return "\r\n".join([f"{title}\r\n", subject, share])
    return "\r\n".join([f"{title}\r\n", subject])


def event_rows(facts: Facts, days: float) -> Iterator[dict[str, Any]]:
    """Rows of SecurityEvents.csv, newest first."""
    for row in facts.security_events(days):
        local, event = facts.local(row["TimeGenerated"]), row["EventID"]
        category = _CATEGORIES.get(event, 0)
        yield {
            "EventID": event, "MachineName": facts.device.name, "Data": "System.Byte[]", "Index": row["EventRecordId"],
            "Category": f"({category})", "CategoryNumber": category,
            "EntryType": "FailureAudit" if event == 4625 else "SuccessAudit", "Message": _message(row),
            "Source": _SOURCE if event != 1102 else "Microsoft-Windows-Eventlog",
            "ReplacementStrings": "System.String[]", "InstanceId": event, "TimeGenerated": local, "TimeWritten": local,
            "UserName": None, "Site": None, "Container": None,
        }  # fmt: skip
