"""Alerts and incidents of the tenant, pointing at what the intrusion recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulator.story import images
from simulator.story import intrusion as told
from simulator.story.entities import (
    Entity,
    cloud_application_entity,
    device_entity,
    file_entity,
    ip_entity,
    mailbox_entity,
    message_entity,
    process_entity,
    registry_key_entity,
    registry_value_entity,
    url_entity,
    user_entity,
)
from simulator.story.intrusion import Foothold
from simulator.story.lateral import ARCHIVE, LURE_URL, Spread
from simulator.story.recorder import Recorder
from simulator.story.timeline import MINUTE, SECOND, stamp
from simulator.story.world import Device, World

MAIN_INCIDENT = 48211
BENIGN_INCIDENT = 48190
REDIRECTED_INCIDENT = 48213
_ENDPOINT = "microsoftDefenderForEndpoint"


@dataclass(frozen=True)
class Alert:
    """One alert. Times are moments; `device` is None for alerts about accounts."""

    id: str
    incident: int
    title: str
    category: str
    severity: str
    techniques: tuple[str, ...]
    first: int
    last: int
    entities: tuple[Entity, ...]
    device: Device | None
    service: str = _ENDPOINT
    detection: str = "microsoftDefenderForEndpoint"
    description: str = ""
    family: str | None = None
    status: str = "new"
    classification: str = "unknown"
    determination: str = "unknown"

    @property
    def created(self) -> int:
        """When the alert was raised: a little after the activity."""
        return self.first + 75 * SECOND


@dataclass(frozen=True)
class Incident:
    """One incident; `redirect` is the incident it was merged into."""

    id: int
    title: str
    severity: str
    status: str
    created: int
    updated: int
    classification: str = "unknown"
    determination: str = "unknown"
    assigned_to: str | None = None
    redirect: int | None = None
    description: str = ""


@dataclass
class Accusation:
    """Makes the alerts of the intrusion."""

    world: World
    foothold: Foothold
    spread: Spread
    message: str

    def _at(self, clock: str) -> int:
        return self.world.week.at(0, clock)

    def _endpoint(
        self, number: int, title: str, category: str, severity: str, techniques: tuple[str, ...], clock: str,
        device: Device, entities: Sequence[Entity], **more: Any,
    ) -> Alert:  # fmt: skip
        first = self._at(clock)
        machine = device_entity(device, self.world.week.start)
        return Alert(
            f"da{638_900_000_000_000_000 + number}_{-1_200_000 - number}", MAIN_INCIDENT, title, category, severity,
            techniques, first, more.pop("last", first + 2 * MINUTE), (machine, *entities), device, **more,
        )  # fmt: skip

    def alerts(self) -> tuple[Alert, ...]:
        """All alerts of the main incident, oldest first."""
        return (*self._on_jump_host(), *self._on_account(), *self._further_on())

    def _on_jump_host(self) -> tuple[Alert, ...]:
        device, user = self.world.patient_zero, user_entity(self.world.victim)
        hold, victim = self.foothold, self.world.victim
        loader, implant = file_entity(images.LOADER, device), file_entity(images.IMPLANT, device)
        value = registry_value_entity(told.RUN_KEY, "EdgeHelper", hold.implant.command, device)
        return (
            self._endpoint(1, "Successful sign-in after password guessing over RDP", "InitialAccess", "medium",
                           ("T1110.001", "T1133", "T1021.001"), "13:52:11", device,
                           [user, ip_entity(told.ATTACKER_IP, "MD", "attacker")]),
            self._endpoint(2, "Suspicious PowerShell command line", "Execution", "medium", ("T1059.001", "T1027"),
                           "14:01:40", device,
                           [user, process_entity(hold.powershell, victim), url_entity(told.SCRIPT_URL)]),
            self._endpoint(3, "'Tidewrack' malware was detected", "Malware", "high", ("T1204.002", "T1105"), "14:02:41",
                           device, [loader, process_entity(hold.loader, victim), url_entity(told.LOADER_URL),
                                    ip_entity(told.DELIVERY_IP, "MD", "attacker")],
                           family="Tidewrack", detection="antivirus"),
            self._endpoint(4, "Connection to a command and control server was seen", "CommandAndControl", "high",
                           ("T1071.001",), "14:03:02", device,
                           [implant, ip_entity(told.CONTROL_IP, "MD", "commandAndControl"),
                            url_entity(told.CONTROL_HOST)], last=self._at("16:40:00")),
            self._endpoint(5, "Attempt to turn off Microsoft Defender Antivirus", "DefenseEvasion", "high",
                           ("T1562.001",), "14:05:13", device, [user, process_entity(hold.tamper, victim),
                           registry_key_entity(r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender")]),
            self._endpoint(6, "A program was set to start with Windows", "Persistence", "medium",
                           ("T1547.001", "T1053.005", "T1543.003"), "14:07:05", device,
                           [user, implant, value, process_entity(hold.task, victim),
                            process_entity(hold.service, victim)]),
            self._endpoint(7, "Suspicious sequence of exploration activities", "Discovery", "low",
                           ("T1033", "T1087.002", "T1482"), "14:15:30", device,
                           [user, process_entity(hold.implant, victim)]),
            self._endpoint(8, "Process memory dump of LSASS", "CredentialAccess", "high", ("T1003.001",), "14:31:45",
                           device, [user, process_entity(hold.dumper, victim), process_entity(hold.rundll, victim),
                                    file_entity(images.DUMPER, device), file_entity(told.DUMP_FILE, device)]),
        )  # fmt: skip

    def _on_account(self) -> tuple[Alert, ...]:
        victim = self.world.victim
        shared = [user_entity(victim), ip_entity(told.ATTACKER_IP, "MD", "attacker")]
        first = self._at("14:40:02")
        sign_in = Alert(
            "ai48211a7c", MAIN_INCIDENT, "Sign-in from an unfamiliar country", "InitialAccess", "medium",
            ("T1078.004",), first, first, tuple(shared), None, "azureAdIdentityProtection", "azureAdIdentityProtection",
        )  # fmt: skip
        rule = self._at("14:44:31")
        mailbox = Alert(
            "ca48211b02", MAIN_INCIDENT, "Suspicious inbox manipulation rule", "Exfiltration", "high",
            ("T1114.003", "T1564.008"), rule, self._at("14:58:40"),
            (*shared, mailbox_entity(victim), cloud_application_entity(),
             message_entity(self.message, victim, self.world.people[2], self._at("14:58:44"), LURE_URL)),
            None, "microsoftCloudAppSecurity", "microsoftCloudAppSecurity",
        )  # fmt: skip
        return sign_in, mailbox

    def _further_on(self) -> tuple[Alert, ...]:
        admin = self.world.stolen_admin
        spread, user = self.spread, user_entity(admin)
        second, server = self.world.second_host, self.world.file_server
        origin = ip_entity(self.world.patient_zero.ip, None, "source")
        return (
            self._endpoint(9, "Remote service started a suspicious file", "LateralMovement", "high",
                           ("T1021.002", "T1569.002"), "14:52:22", second,
                           [user, origin, process_entity(spread.workstation_service, admin),
                            file_entity(images.REMOTE_SERVICE, second)]),
            self._endpoint(10, "Remote service started a suspicious file", "LateralMovement", "high",
                           ("T1021.002", "T1569.002"), "15:20:45", server,
                           [user, origin, process_entity(spread.server_service, admin),
                            file_entity(images.REMOTE_SERVICE, server)]),
            self._endpoint(11, "Files were collected and packed for exfiltration", "Collection", "medium",
                           ("T1560.001", "T1039", "T1041"), "15:29:02", server,
                           [process_entity(spread.staging, admin), file_entity(ARCHIVE, server),
                            ip_entity(told.CONTROL_IP, "MD", "commandAndControl")], last=self._at("15:38:55")),
            self._endpoint(12, "Event log was cleared", "DefenseEvasion", "medium", ("T1070.001",), "15:44:12", server,
                           [user, process_entity(spread.server_shell, admin)]),
        )  # fmt: skip


def benign_alert(world: World) -> Alert:
    """An alert that turned out to be an administrator's work."""
    device = world.device("srv-app01")
    first = world.week.at(-2, "10:12:00")
    entities = (device_entity(device, world.week.start), user_entity(world.stolen_admin))
    return Alert(
        "da638899000000000001_-77", BENIGN_INCIDENT, "Remote administration tool was used", "Execution", "low",
        ("T1569.002",), max(first, world.week.start), max(first, world.week.start) + MINUTE, entities, device,
        status="resolved", classification="informationalExpectedActivity", determination="lineOfBusinessApplication",
    )  # fmt: skip


def incidents(world: World, alerts: Sequence[Alert]) -> tuple[Incident, ...]:
    """The main incident, a benign one and one that was merged into the main one."""
    main = [alert for alert in alerts if alert.incident == MAIN_INCIDENT]
    benign = next(alert for alert in alerts if alert.incident == BENIGN_INCIDENT)
    created = min(alert.created for alert in main)
    return (
        Incident(
            MAIN_INCIDENT, "Multi-stage incident involving Initial access & Lateral movement on multiple endpoints",
            "high", "active", created, world.week.at(0, "16:52:08"),
            description="Hands-on-keyboard activity after a password was guessed over RDP.",
        ),
        Incident(
            BENIGN_INCIDENT, "Remote administration tool on one endpoint", "low", "resolved", benign.created,
            benign.created + 55 * MINUTE, "informationalExpectedActivity", "lineOfBusinessApplication",
            world.stolen_admin.upn,
        ),
        Incident(
            REDIRECTED_INCIDENT, "Suspicious inbox manipulation rule involving one user", "high", "redirected",
            world.week.at(0, "14:45:46"), world.week.at(0, "14:53:01"), redirect=MAIN_INCIDENT,
        ),
    )  # fmt: skip


def record_alerts(recorder: Recorder, alerts: Sequence[Alert]) -> None:
    """AlertInfo and AlertEvidence, which carry the time of the alert's first activity."""
    for alert in alerts:
        head = {
            "AlertId": alert.id, "Title": alert.title, "ServiceSource": _product(alert.service),
            "DetectionSource": _product(alert.detection), "Severity": alert.severity.capitalize(),
            "AttackTechniques": "[" + ", ".join(f'"{name}"' for name in alert.techniques) + "]",
        }  # fmt: skip
        recorder.row("AlertInfo", alert.first, {**head, "Category": alert.category})
        for entity in alert.entities:
            categories = {"Categories": f'["{alert.category}"]'}
            recorder.row("AlertEvidence", alert.first, {**head, **categories, **entity.row})


def _product(source: str) -> str:
    """AlertInfo spells the sources out."""
    return {
        "microsoftDefenderForEndpoint": "Microsoft Defender for Endpoint",
        "antivirus": "Antivirus",
        "azureAdIdentityProtection": "AAD Identity Protection",
        "microsoftCloudAppSecurity": "Microsoft Defender for Cloud Apps",
    }[source]


def as_json(alerts: Sequence[Alert], cases: Sequence[Incident]) -> dict[str, Any]:
    """Alerts and incidents with all times as text, for the cache beside the tables."""
    return {"alerts": [_alert_json(alert) for alert in alerts], "incidents": [_incident_json(case) for case in cases]}


def _alert_json(alert: Alert) -> dict[str, Any]:
    known = {key: value for key, value in vars(alert).items() if key not in {"entities", "device", "first", "last"}}
    return {
        **known,
        "techniques": list(alert.techniques),
        "created": stamp(alert.created),
        "first": stamp(alert.first),
        "last": stamp(alert.last),
        "deviceId": alert.device.id if alert.device else None,
        "deviceName": alert.device.name if alert.device else None,
        "graph": [entity.graph for entity in alert.entities],
        "flat": [entity.flat for entity in alert.entities if entity.flat],
    }


def _incident_json(case: Incident) -> dict[str, Any]:
    return {**asdict(case), "created": stamp(case.created), "updated": stamp(case.updated)}
