"""The company: people, devices, networks. Northwharf Shipping, of this story's own making, under a reserved domain."""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import dataclass
from typing import Literal

from simulator.story.timeline import Week

DOMAIN = "northwharf.example"
NETBIOS = "NORTHWHARF"
MINIMUM_DEVICES = 10

DeviceKind = Literal["workstation", "server", "domain controller", "jump host"]

_DEPARTMENTS = ("fin", "ops", "hr", "sales", "eng", "legal")
_DEPARTMENT_NAMES = {
    "fin": "Finance",
    "ops": "Port Operations",
    "hr": "People",
    "sales": "Chartering",
    "eng": "Engineering",
    "legal": "Legal",
    "it": "IT",
}
_GIVEN = (
    "Maren", "Tobias", "Ife", "Lucía", "Anselm", "Priya", "Jonas", "Aiko", "Wouter", "Nadia", "Callum", "Zeynep",
    "Mateus", "Sigrid", "Tomasz", "Leila", "Henrik", "Chidi", "Renée", "Oskar",
)  # fmt: skip
_SURNAMES = (
    "Okafor", "Lindqvist", "Vermeer", "Sandoval", "Brandt", "Raman", "Holm", "Tanaka", "de Wit", "Haddad", "Fraser",
    "Yildiz", "Teixeira", "Aasen", "Nowak", "Karimi", "Dahl", "Eze", "Marchand", "Weiss",
)  # fmt: skip
_SERVERS = (
    ("dc01", "domain controller"), ("srv-file01", "server"), ("srv-app01", "server"), ("jump01", "jump host"),
    ("ws-fin-01", "workstation"), ("ws-fin-02", "workstation"), ("ws-offline-01", "workstation"),
    ("srv-offline-01", "server"), ("ws-failing-01", "workstation"), ("ws-ops-01", "workstation"),
    ("dc02", "domain controller"), ("srv-sql01", "server"), ("srv-web01", "server"), ("srv-print01", "server"),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """An account of the company, in Active Directory and Entra alike."""

    account: str
    display: str
    department: str
    title: str
    rid: int
    domain_sid: str
    object_id: str
    admin: bool = False

    @property
    def upn(self) -> str:
        """User principal name and mail address."""
        return f"{self.account}@{DOMAIN}"

    @property
    def sid(self) -> str:
        """Security identifier in the domain."""
        return f"{self.domain_sid}-{self.rid}"


@dataclass(frozen=True)
class Device:
    """A machine that Defender for Endpoint knows."""

    host: str
    kind: DeviceKind
    id: str
    ip: str
    external_ip: str
    mac: str
    aad_id: str
    os_platform: str
    os_version: str
    os_build: int
    owner: Person

    @property
    def name(self) -> str:
        """Fully qualified name in lower case, as `DeviceName` and `computerDnsName` have it."""
        return f"{self.host}.{DOMAIN}"

    @property
    def is_workstation(self) -> bool:
        """Whether a person sits at it."""
        return self.kind == "workstation"

    @property
    def offline(self) -> bool:
        """Devices that never answer a machine action."""
        return "offline" in self.host

    @property
    def group(self) -> str:
        """Device group (`MachineGroup`, `rbacGroupName`)."""
        return "Workstations" if self.is_workstation else "Servers"

    @property
    def computer(self) -> str:
        """NetBIOS computer name."""
        return self.host.upper()


@dataclass(frozen=True)
class World:
    """The company at one moment, derived from a seed."""

    seed: int
    week: Week
    tenant_id: str
    people: tuple[Person, ...]
    devices: tuple[Device, ...]

    def device(self, host: str) -> Device:
        """The device of that host name; KeyError if there is none."""
        for device in self.devices:
            if device.host == host:
                return device
        raise KeyError(host)

    def person(self, account: str) -> Person:
        """The person of that account; KeyError if there is none."""
        for person in self.people:
            if person.account == account:
                return person
        raise KeyError(account)

    def random(self, *scope: object) -> random.Random:
        """A generator of its own for each scope, so that one part's draws never move another's."""
        return random.Random(f"{self.seed}:{':'.join(map(str, scope))}")

    @property
    def patient_zero(self) -> Device:
        """Where the intruder comes in."""
        return self.device("jump01")

    @property
    def second_host(self) -> Device:
        """The workstation reached over SMB."""
        return self.device("ws-fin-02")

    @property
    def file_server(self) -> Device:
        """The server reached over SMB."""
        return self.device("srv-file01")

    @property
    def victim(self) -> Person:
        """Whose password is guessed."""
        return self.person("m.okafor")

    @property
    def stolen_admin(self) -> Person:
        """Whose credential is dumped from memory."""
        return self.person("adm-lindqvist")


def _ascii(text: str) -> str:
    table = str.maketrans("íéçãøå", "iecaoa")
    return text.lower().translate(table).replace(" ", "")


def _guid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _people(rng: random.Random, count: int) -> tuple[Person, ...]:
    domain_sid = f"S-1-5-21-{rng.randrange(10**9)}-{rng.randrange(10**9)}-{rng.randrange(10**9)}"
    named = [
        ("m.okafor", "Maren Okafor", "it", "Helpdesk engineer", False),
        ("adm-lindqvist", "Tobias Lindqvist (admin)", "it", "Domain administrator", True),
    ]
    for index in range(count):
        given = _GIVEN[(index * 7 + 3) % len(_GIVEN)]
        surname = _SURNAMES[(index + index // len(_SURNAMES) * 5 + 2) % len(_SURNAMES)]
        suffix = str(index // len(_SURNAMES) + 1) if index >= len(_SURNAMES) else ""
        department = _DEPARTMENTS[index % len(_DEPARTMENTS)]
        account = f"{_ascii(given)[0]}.{_ascii(surname)}{suffix}"
        named.append((account, f"{given} {surname}", department, "Specialist", False))
    return tuple(
        Person(account, display, _DEPARTMENT_NAMES[department], title, 1104 + i, domain_sid, _guid(rng), admin)
        for i, (account, display, department, title, admin) in enumerate(named)
    )


def _hosts(count: int) -> list[tuple[str, str]]:
    hosts: list[tuple[str, str]] = list(_SERVERS[: min(count, len(_SERVERS))])
    number = 2
    while len(hosts) < count:
        department = _DEPARTMENTS[(len(hosts) + 1) % len(_DEPARTMENTS)]
        hosts.append((f"ws-{department}-{number + 1:02d}", "workstation"))
        number += 1
    return hosts


def _operating_system(kind: str, rng: random.Random) -> tuple[str, str, int]:
    if kind in {"server", "domain controller"}:
        return rng.choice((("WindowsServer2022", "21H2", 20348), ("WindowsServer2019", "1809", 17763)))
    return rng.choice((("Windows11", "24H2", 26100), ("Windows11", "23H2", 22631), ("Windows10", "22H2", 19045)))


def _device(host: str, kind: str, index: int, owner: Person, rng: random.Random) -> Device:
    platform, version, build = _operating_system(kind, rng)
    subnet = 20 if kind == "workstation" else 10
    return Device(
        host=host,
        kind=kind,  # type: ignore[arg-type]  # one of the four literals by construction
        id=hashlib.sha1(f"{host}.{DOMAIN}".encode()).hexdigest(),
        ip=f"10.42.{subnet + index // 200}.{10 + index % 200}",
        external_ip="192.0.2.40" if kind == "jump host" else "192.0.2.10",
        mac=f"00155D{rng.getrandbits(24):06X}",
        aad_id=_guid(rng),
        os_platform=platform,
        os_version=version,
        os_build=build,
        owner=owner,
    )


def build_world(seed: int, week: Week, device_count: int, tenant_id: str) -> World:
    """The company of `device_count` devices (at least 10; ValueError below).

    Device ids are the SHA-1 of the fully qualified name, so that they agree with rows loaded from real files.
    """
    if device_count < MINIMUM_DEVICES:
        raise ValueError(f"The story needs at least {MINIMUM_DEVICES} devices; {device_count} were asked for.")
    rng = random.Random(f"world:{seed}")
    people = _people(rng, device_count)
    ordinary = people[2:]
    devices = []
    for index, (host, kind) in enumerate(_hosts(device_count)):
        owner = people[0] if kind == "jump host" else ordinary[index % len(ordinary)]
        devices.append(_device(host, kind, index, owner, rng))
    return World(seed, week, tenant_id, people, tuple(devices))
