"""What the story says of one device at the moment of a collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from kql.sql import quote_text
from simulator.core import Simulator
from simulator.story.timeline import Week, as_datetime, moment_of
from simulator.story.world import Device, World

_RESIDENT = (
    "svchost.exe", "explorer.exe", "OUTLOOK.EXE", "ms-teams.exe", "OneDrive.exe", "msedge.exe", "TideBook.exe",
    "edgehelper.exe", "wupdmgr.exe", "WHSVC.exe", "rdpclip.exe", "taskhostw.exe",
)  # fmt: skip
_ROWS = 4_000


@dataclass(frozen=True)
class Facts:
    """Reads the story's Parquet files for one device. Times are moments in UTC; `local` turns them into device time."""

    world: World
    device: Device
    tables: dict[str, Path]
    moment: datetime

    @property
    def week(self) -> Week:
        """The story's calendar."""
        return self.world.week

    def local(self, when: datetime) -> datetime:
        """Device time, naive, to the second."""
        return self.week.local(moment_of(when)).replace(microsecond=0)

    @property
    def now_local(self) -> datetime:
        """When the script runs, in device time."""
        return self.local(self.moment)

    def rows(
        self, table: str, columns: str, where: str, order: str, limit: int = _ROWS, group: str = ""
    ) -> list[dict[str, Any]]:
        """Rows of a table about this device, as dictionaries; times are aware UTC."""
        path = self.tables.get(table)
        if path is None:
            return []
        about = "Computer" if table == "SecurityEvent" else "DeviceName"
        sql = (
            f"SELECT {columns} FROM read_parquet({quote_text(str(path))}) "
            f"WHERE {about} = {quote_text(self.device.name)} AND ({where}) {group} ORDER BY {order} LIMIT {limit}"
        )
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            found = connection.execute(sql)
            names = [entry[0] for entry in found.description or []]
            return [dict(zip(names, map(_aware, row), strict=True)) for row in found.fetchall()]

    def since(self, span: timedelta, column: str = "Timestamp") -> str:
        """A condition: not before the collection minus a span."""
        start = min(self.moment, as_datetime(self.week.now)) - span
        return f"{column} >= TIMESTAMP {quote_text(start.strftime('%Y-%m-%d %H:%M:%S'))}"

    def processes(self) -> list[dict[str, Any]]:
        """Programs that are still running: those of the last eleven hours that stay."""
        names = ", ".join(quote_text(name.lower()) for name in _RESIDENT)
        return self.rows(
            "DeviceProcessEvents",
            "Timestamp, FileName, FolderPath, ProcessCommandLine, ProcessId, InitiatingProcessId, SHA256, AccountName",
            f"lower(FileName) IN ({names}) AND {self.since(timedelta(hours=11))}",
            "Timestamp",
            400,
        )

    def connections(self) -> list[dict[str, Any]]:
        """The latest connection of each process to each address within six hours."""
        return self.rows(
            "DeviceNetworkEvents",
            "max(Timestamp) AS Timestamp, RemoteIP, RemotePort, arg_max(LocalPort, Timestamp) AS LocalPort, "
            "any_value(LocalIP) AS LocalIP, any_value(RemoteUrl) AS RemoteUrl, InitiatingProcessId, "
            "any_value(InitiatingProcessFileName) AS FileName",
            f"ActionType = 'ConnectionSuccess' AND Protocol = 'Tcp' AND {self.since(timedelta(hours=6))}",
            "1 DESC",
            150,
            "GROUP BY RemoteIP, RemotePort, InitiatingProcessId",
        )

    def run_keys(self) -> list[dict[str, Any]]:
        """Values set below Run and RunOnce, the last of each."""
        return self.rows(
            "DeviceRegistryEvents",
            "RegistryKey, RegistryValueName, arg_max(RegistryValueData, Timestamp) AS RegistryValueData",
            "RegistryKey ILIKE '%\\CurrentVersion\\Run%'",
            "1, 2",
            group="GROUP BY RegistryKey, RegistryValueName",
        )

    def device_events(self, action: str) -> list[dict[str, Any]]:
        """Events of one kind, with AdditionalFields parsed into `extra`."""
        found = self.rows(
            "DeviceEvents", "Timestamp, FileName, FolderPath, AdditionalFields", f"ActionType = {quote_text(action)}",
            "Timestamp", 200,
        )  # fmt: skip
        return [{**row, "extra": json.loads(row["AdditionalFields"] or "{}")} for row in found]

    def exclusions(self) -> list[str]:
        """Paths that were excluded from antivirus."""
        found = self.rows(
            "DeviceRegistryEvents", "RegistryValueName", "RegistryKey ILIKE '%Windows Defender\\Exclusions\\Paths'", "1"
        )
        return sorted({row["RegistryValueName"] for row in found})

    def security_events(self, days: float) -> list[dict[str, Any]]:
        """Windows security events of the last days, newest first."""
        return self.rows(
            "SecurityEvent",
            "TimeGenerated, EventID, EventRecordId, Activity, TargetUserName, TargetDomainName, TargetUserSid, "
            "LogonType, IpAddress, IpPort, WorkstationName, SubjectUserName, SubjectDomainName, NewProcessName, "
            "CommandLine, "
            "ParentProcessName, ServiceName, ServiceFileName, ShareName, Status, SubStatus, LogonProcessName, "
            "AuthenticationPackageName",
            self.since(timedelta(days=days), "TimeGenerated"),
            "TimeGenerated DESC",
            20_000,
        )


def _aware(value: Any) -> Any:
    """DuckDB gives UTC times without their zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def facts_of(simulator: Simulator, device: Device, moment: datetime) -> Facts:
    """The facts of a device at the moment a script ran."""
    return Facts(simulator.story.world, device, simulator.story.tables, moment)
