"""Turns what happens in the story into rows of Microsoft's tables, written as newline-delimited JSON.

A week of forty devices is about two hundred thousand rows, so a row is pieced together from JSON fragments that were
encoded once (the device, the initiating process) and a few values of its own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from simulator.story.images import Image
from simulator.story.timeline import stamp
from simulator.story.world import NETBIOS, Device, Person, World

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def fragment(values: dict[str, Any]) -> str:
    """The inside of a JSON object, without its braces; empty strings and None are left out (they read as null)."""
    return _ENCODER.encode({key: value for key, value in values.items() if value is not None and value != ""})[1:-1]


@dataclass(frozen=True)
class Account:
    """Who a process runs as."""

    domain: str
    name: str
    sid: str
    upn: str = ""
    object_id: str = ""

    @classmethod
    def of(cls, person: Person) -> Account:
        """The domain account of a person."""
        return cls(NETBIOS.lower(), person.account, person.sid, person.upn, person.object_id)


SYSTEM_ACCOUNT = Account("nt authority", "system", "S-1-5-18")
NETWORK_SERVICE = Account("nt authority", "network service", "S-1-5-20")


@dataclass(frozen=True)
class Process:
    """One running process of a device."""

    device: Device
    image: Image
    pid: int
    created: int
    command: str
    account: Account
    parent: Process | None = None
    integrity: str = "Medium"
    session_ip: str = ""
    session_device: str = ""

    @property
    def elevation(self) -> str:
        """Defender's word for the token."""
        return "TokenElevationTypeDefault" if self.integrity in {"System", "Medium"} else "TokenElevationTypeFull"

    @property
    def unique_id(self) -> str:
        """Identity of the process beyond its reusable number."""
        return str(int(self.device.id[:10], 16) + self.created + self.pid)

    @cached_property
    def initiator(self) -> str:
        """JSON fragment: this process as the initiating process of an event."""
        parent = self.parent
        return fragment(
            {
                "InitiatingProcessFileName": self.image.name,
                "InitiatingProcessFolderPath": self.image.path.lower(),
                "InitiatingProcessCommandLine": self.command,
                "InitiatingProcessId": self.pid,
                "InitiatingProcessCreationTime": stamp(self.created),
                "InitiatingProcessSHA1": self.image.sha1,
                "InitiatingProcessSHA256": self.image.sha256,
                "InitiatingProcessMD5": self.image.md5,
                "InitiatingProcessFileSize": self.image.size,
                "InitiatingProcessVersionInfoCompanyName": self.image.company,
                "InitiatingProcessVersionInfoProductName": self.image.product,
                "InitiatingProcessVersionInfoFileDescription": self.image.description,
                "InitiatingProcessParentId": parent.pid if parent else 0,
                "InitiatingProcessParentFileName": parent.image.name if parent else "",
                "InitiatingProcessParentCreationTime": stamp(parent.created) if parent else None,
                "InitiatingProcessAccountDomain": self.account.domain,
                "InitiatingProcessAccountName": self.account.name,
                "InitiatingProcessAccountSid": self.account.sid,
                "InitiatingProcessAccountUpn": self.account.upn,
                "InitiatingProcessAccountObjectId": self.account.object_id,
                "InitiatingProcessSessionId": 0 if self.integrity == "System" else 2,
                "IsInitiatingProcessRemoteSession": bool(self.session_ip),
                "InitiatingProcessRemoteSessionDeviceName": self.session_device,
                "InitiatingProcessRemoteSessionIP": self.session_ip,
                "InitiatingProcessUniqueId": self.unique_id,
            }
        )

    @cached_property
    def initiator_with_rights(self) -> str:
        """`initiator` with integrity and elevation, for the tables that have them (DeviceEvents has not)."""
        rights = {
            "InitiatingProcessIntegrityLevel": self.integrity,
            "InitiatingProcessTokenElevation": self.elevation,
        }
        return f"{self.initiator},{fragment(rights)}"


def file_fragment(image: Image) -> str:
    """JSON fragment: the columns of a file."""
    return fragment(
        {
            "FileName": image.name,
            "FolderPath": image.path,
            "SHA1": image.sha1,
            "SHA256": image.sha256,
            "MD5": image.md5,
            "FileSize": image.size,
        }
    )


def ip_type(address: str) -> str:
    """Defender's kind of an address, for the networks that occur in the story."""
    if address.startswith("10."):
        return "Private"
    return "Loopback" if address.startswith("127.") else "Public"


@dataclass
class Recorder:
    """Writes rows to one NDJSON file per table in `folder`; a context manager that closes them."""

    world: World
    folder: Path
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _files: dict[str, IO[str]] = field(default_factory=dict)
    _reports: dict[str, Iterator[int]] = field(default_factory=dict)
    _pids: dict[str, int] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _report: int = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def path(self, table: str) -> Path:
        """Where the rows of a table go."""
        return self.folder / f"{table}.ndjson"

    def _write(self, table: str, moment: int, body: str) -> None:
        if moment > self.world.week.now:
            return  # the future is not recorded: activity that began before the end may reach beyond it
        file = self._files.get(table)
        if file is None:
            file = self._files[table] = self.path(table).open("w", encoding="utf-8", buffering=1 << 20)
        file.write(body)
        self.counts[table] += 1

    def row(self, table: str, moment: int, values: dict[str, Any]) -> None:
        """A row of a table without a device (sign-ins, mail, alerts)."""
        when = stamp(moment)
        fixed = f'"Timestamp":"{when}","TimeGenerated":"{when}","TenantId":"{self.world.tenant_id}","Type":"{table}"'
        self._write(table, moment, f"{{{fixed},{fragment(values)}}}\n")

    def device_row(self, table: str, device: Device, moment: int, *fragments: str) -> int:
        """A row of a Device* table; returns its ReportId."""
        self._report += 1
        when = stamp(moment)
        known = self._devices.get(device.id)
        if known is None:
            known = self._devices[device.id] = fragment(
                {
                    "DeviceId": device.id,
                    "DeviceName": device.name,
                    "MachineGroup": device.group,
                    "TenantId": self.world.tenant_id,
                }
            )
        rest = ",".join(part for part in fragments if part)
        head = f'{{"Timestamp":"{when}","TimeGenerated":"{when}","Type":"{table}","ReportId":{self._report},'
        self._write(table, moment, f"{head}{known},{rest}}}\n")
        return self._report

    def process(
        self,
        device: Device,
        moment: int,
        image: Image,
        command: str,
        account: Account,
        parent: Process | None = None,
        *,
        integrity: str = "Medium",
        session: tuple[str, str] = ("", ""),
        silent: bool = False,
        additional: dict[str, Any] | None = None,
    ) -> Process:
        """Start a process and, unless `silent`, record its creation. `session` is (remote address, remote name)."""
        pid = self._pids[device.id] = self._pids.get(device.id, 600) + 4
        born = Process(device, image, pid, moment, command, account, parent, integrity, *session)
        if not silent:
            self._created(born, additional)
        return born

    def _created(self, born: Process, additional: dict[str, Any] | None) -> None:
        account = born.account
        values = {
            "ActionType": "ProcessCreated",
            "ProcessVersionInfoCompanyName": born.image.company,
            "ProcessVersionInfoProductName": born.image.product,
            "ProcessVersionInfoFileDescription": born.image.description,
            "ProcessVersionInfoOriginalFileName": born.image.name,
            "ProcessId": born.pid,
            "ProcessCommandLine": born.command,
            "ProcessIntegrityLevel": born.integrity,
            "ProcessTokenElevation": born.elevation,
            "ProcessCreationTime": stamp(born.created),
            "ProcessUniqueId": born.unique_id,
            "AccountDomain": account.domain,
            "AccountName": account.name,
            "AccountSid": account.sid,
            "AccountUpn": account.upn,
            "AccountObjectId": account.object_id,
            "IsProcessRemoteSession": bool(born.session_ip),
            "ProcessRemoteSessionIP": born.session_ip,
            "ProcessRemoteSessionDeviceName": born.session_device,
            "AdditionalFields": additional,
        }
        parts = [file_fragment(born.image), fragment(values)]
        if born.parent:
            signed = bool(born.parent.image.signer)
            parts += [
                born.parent.initiator_with_rights,
                fragment(
                    {
                        "InitiatingProcessSignerType": "OsVendor" if signed else "Unknown",
                        "InitiatingProcessSignatureStatus": "Valid" if signed else "Unsigned",
                    }
                ),
            ]
        self.device_row("DeviceProcessEvents", born.device, born.created, *parts)

    def network(
        self,
        process: Process,
        moment: int,
        action: str,
        remote: tuple[str, int],
        *,
        url: str = "",
        local_port: int = 0,
        protocol: str = "Tcp",
    ) -> None:
        """A connection of a process; `remote` is (address, port). All texts are the story's own: nothing to escape."""
        own = (
            f'"ActionType":"{action}","RemoteIP":"{remote[0]}","RemotePort":{remote[1]},"LocalIP":"{process.device.ip}",'
            f'"LocalPort":{local_port},"Protocol":"{protocol}","LocalIPType":"Private","RemoteIPType":"{ip_type(remote[0])}"'
        )
        address = f'"RemoteUrl":"{url}"' if url else ""
        self.device_row("DeviceNetworkEvents", process.device, moment, own, address, process.initiator_with_rights)

    def file(self, process: Process, moment: int, action: str, image: Image, **values: Any) -> None:
        """A file event; further columns by name."""
        own = fragment({"ActionType": action, **values})
        self.device_row(
            "DeviceFileEvents", process.device, moment, file_fragment(image), own, process.initiator_with_rights
        )

    def registry(
        self,
        process: Process,
        moment: int,
        key: str,
        name: str,
        data: str,
        *,
        action: str = "RegistryValueSet",
        kind: str = "String",
        previous: str = "",
    ) -> None:
        """A registry event."""
        values = {
            "ActionType": action,
            "RegistryKey": key,
            "RegistryValueType": kind if name else "",
            "RegistryValueName": name,
            "RegistryValueData": data,
            "PreviousRegistryKey": key,
            "PreviousRegistryValueName": name,
            "PreviousRegistryValueData": previous,
        }
        self.device_row("DeviceRegistryEvents", process.device, moment, fragment(values), process.initiator_with_rights)

    def image_load(self, process: Process, moment: int, library: Image) -> None:
        """A module loaded by a process."""
        self.device_row(
            "DeviceImageLoadEvents",
            process.device,
            moment,
            '"ActionType":"ImageLoaded"',
            file_fragment(library),
            process.initiator_with_rights,
        )

    def event(
        self,
        process: Process,
        moment: int,
        action: str,
        additional: dict[str, Any],
        image: Image | None = None,
        **values: Any,
    ) -> int:
        """A row of DeviceEvents; `image` is the file it is about. Returns its ReportId."""
        own = fragment({"ActionType": action, "AdditionalFields": additional, **values})
        about = file_fragment(image) if image else ""
        return self.device_row("DeviceEvents", process.device, moment, own, about, process.initiator)
