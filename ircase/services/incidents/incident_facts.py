"""What an incident's alerts name, as assets, indicators and events of a case, each with the alert it came from.

The kinds of evidence: https://learn.microsoft.com/graph/api/resources/security-alertevidence
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.models import Asset, Case, CaseIncident, Event, Indicator, User
from ircase.services.analysis import findings
from ircase.wording import evidence_kind
from msapi.evidence import (
    Account,
    AlertEvidence,
    DeviceEvidence,
    FileEvidence,
    FileFacts,
    IpEvidence,
    MailboxEvidence,
    MessageEvidence,
    ProcessEvidence,
    RegistryEvidence,
    UrlEvidence,
    UserEvidence,
    read_evidence,
)
from msapi.incidents import Alert, Incident
from msapi.mentions import Mentions, Thing

# One incident can name thousands of things. What is over stays in the sealed incident, and the log says how many.
MOST_ROWS = 1000
_URLS_OF_A_MESSAGE = 25
_DEPTH = 3  # evidence within evidence: a container in a pod in a cluster
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_VERDICTS = {
    "malicious": Indicator.Verdict.MALICIOUS,
    "suspicious": Indicator.Verdict.SUSPICIOUS,
    "nothreatsfound": Indicator.Verdict.BENIGN,
}


@dataclass
class Import:
    """One run over one incident. `run` gives the counts that the log keeps.

    `brought` are the uuids of the rows that came with it, each with the key of its event or ""; `named` those of rows
    that were there before. What was brought once and taken away since by a person does not come again.
    """

    case: Case
    actor: User
    incident: Incident
    link: CaseIncident
    devices: dict[str, Asset] = field(default_factory=dict)
    seen: set[tuple[str, ...]] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: {"assets": 0, "indicators": 0, "events": 0})
    left_out: int = 0
    brought: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    events: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[str, int]:
        self._remember()
        # Devices first: events of any alert can then name the device they happened on.
        for alert in self.incident.alerts:
            for item in alert.evidence:
                if isinstance(item.detail, DeviceEvidence):
                    self._device(item.detail, alert)
        for alert in self.incident.alerts:
            self._alert(alert)
            for item in alert.evidence:
                self._evidence(item, alert)
        return {**self.counts, "left_in_evidence": self.left_out}

    def _remember(self) -> None:
        """The events that incidents brought to this case before: here, and those of this one that are gone again."""
        rows = Event.objects.filter(case=self.case, provenance__has_key="key").values_list("provenance", "uuid")
        self.events = {str(provenance["key"]): str(uuid) for provenance, uuid in rows}
        for uuid, mark in self.link.brought.items():
            key = mark.partition(":")[2]
            if key:
                self.events.setdefault(key, uuid)

    def _evidence(self, item: AlertEvidence, alert: Alert, depth: int = 0) -> None:
        match item.detail:
            case DeviceEvidence():
                if depth:
                    self._device(item.detail, alert)
            case UserEvidence(account):
                self._account(account, alert)
            case FileEvidence(file):
                self._file(file, item, alert)
            case ProcessEvidence():
                self._process(item.detail, item, alert)
            case IpEvidence(address):
                self._indicator(Indicator.Kind.IP, address, item, alert)
            case UrlEvidence(url):
                self._indicator(Indicator.Kind.URL, url, item, alert)
            case RegistryEvidence():
                self._registry(item.detail, item, alert)
            case MailboxEvidence(address, name, account):
                self._asset(Asset.Kind.MAILBOX, address, account.entra_id, alert, {"display_name": name})
            case MessageEvidence():
                self._message(item.detail, item, alert)
            case Mentions():
                self._mentions(item.detail, item, alert, depth)
            case None:
                self._unknown(item, alert)

    def _alert(self, alert: Alert) -> None:
        raw = {key: value for key, value in alert.raw.items() if key != "evidence"}
        self._event(
            moment(alert.created) or moment(alert.first_activity),
            f"Alert: {alert.title or 'without a title'}",
            alert,
            key=("alert", alert.id),
            lane=Event.Lane.DEFENDER,
            description=alert.description,
            source=" ".join(part for part in (alert.service, alert.detection) if part) or "alert",
            row=raw,
        )

    def _device(self, device: DeviceEvidence, alert: Alert) -> None:
        details = {
            "os": " ".join(part for part in (device.os_platform, device.os_version) if part),
            "health": device.health,
            "risk": device.risk,
            "last_ip": device.last_ip,
            "last_external_ip": device.last_external_ip,
            "entra_device_id": device.entra_device_id,
        }
        name = device.dns_name or device.host_name or device.device_id
        asset = self._asset(Asset.Kind.DEVICE, name, device.device_id, alert, details)
        if asset is not None and device.device_id:
            self.devices[device.device_id] = asset

    def _account(self, account: Account, alert: Alert) -> None:
        local = f"{account.domain}\\{account.name}" if account.domain and account.name else account.name
        details = {"display_name": account.display_name, "sid": account.sid, "account": local}
        self._asset(Asset.Kind.ACCOUNT, account.upn or local, account.entra_id or account.sid, alert, details)

    def _file(self, file: FileFacts, item: AlertEvidence, alert: Alert) -> None:
        kind, value = next(
            (
                (kind, value)
                for kind, value in (
                    (Indicator.Kind.SHA256, file.sha256),
                    (Indicator.Kind.SHA1, file.sha1),
                    (Indicator.Kind.MD5, file.md5),
                    (Indicator.Kind.FILE_PATH, _join(file)),
                )
                if value
            ),
            (Indicator.Kind.FILE_NAME, file.name),
        )
        signed = f", signed by {file.signer}" if file.signer else ""
        self._indicator(kind, value, item, alert, f"{_join(file) or file.name or 'file'}{signed}")

    def _process(self, process: ProcessEvidence, item: AlertEvidence, alert: Alert) -> None:
        name = process.image.name or "A process"
        parent = f" by {process.parent_image.name}" if process.parent_image.name else ""
        self._event(
            moment(process.created) or moment(item.created),
            f"{name} started{parent}",
            alert,
            key=("process", process.device_id, str(process.process_id), process.created, process.command_line),
            description=process.command_line,
            source="processEvidence",
            row=dict(item.raw),
            device=process.device_id,
        )
        if process.account.upn:
            self._account(process.account, alert)
        # The image of a living-off-the-land process is Microsoft's own file: only one judged malicious is a lead.
        if item.verdict.lower() == "malicious" and (process.image.sha256 or process.image.sha1):
            self._file(process.image, item, alert)

    def _registry(self, value: RegistryEvidence, item: AlertEvidence, alert: Alert) -> None:
        path = "\\".join(part for part in (value.hive, value.key) if part)
        self._indicator(Indicator.Kind.REGISTRY, path, item, alert, value.value_name)
        shown = f"{path}\\{value.value_name}" if value.value_name else path
        self._event(
            moment(item.created),
            f"Registry: {shown}",
            alert,
            key=("registry", value.device_id, path, value.value_name, value.value),
            description=value.value,
            source=item.kind,
            row=dict(item.raw),
            device=value.device_id,
        )

    def _message(self, message: MessageEvidence, item: AlertEvidence, alert: Alert) -> None:
        self._event(
            moment(message.received) or moment(item.created),
            f"Message “{message.subject}” from {message.sender or 'unknown'} to {message.recipient or 'unknown'}",
            alert,
            key=("message", message.network_message_id, message.recipient),
            description=" ".join(part for part in (message.delivery, message.location) if part),
            source="analyzedMessageEvidence",
            row=dict(item.raw),
        )
        self._indicator(Indicator.Kind.EMAIL, message.sender, item, alert, "Sender")
        self._indicator(Indicator.Kind.IP, message.sender_ip, item, alert, "Sender's address")
        for url in message.urls[:_URLS_OF_A_MESSAGE]:
            self._indicator(Indicator.Kind.URL, url, item, alert, f"In message “{message.subject}”")
        self.left_out += max(0, len(message.urls) - _URLS_OF_A_MESSAGE)
        self._asset(Asset.Kind.MAILBOX, message.recipient, "", alert, {})

    def _mentions(self, found: Mentions, item: AlertEvidence, alert: Alert, depth: int) -> None:
        for thing in found.things:
            self._thing(thing, alert)
        for one in found.observables:
            self._indicator(Indicator.Kind(one.kind), one.value, item, alert, one.note)
        if found.happening is not None:
            self._event(
                moment(found.happening.at) or moment(item.created) or moment(alert.created),
                found.happening.title,
                alert,
                key=(item.kind, found.happening.at, found.happening.title, found.happening.text),
                description=found.happening.text,
                source=item.kind,
                row=dict(item.raw),
            )
        if not (found.things or found.observables or found.happening or found.inside):
            # The kind is known, what it says is not: it is kept like an unknown one.
            self._unknown(item, alert)
        for raw in found.inside if depth < _DEPTH else ():
            self._evidence(read_evidence(raw), alert, depth + 1)

    def _thing(self, thing: Thing, alert: Alert) -> None:
        kind = Asset.Kind.APPLICATION if thing.application else Asset.Kind.OTHER
        kind = Asset.Kind.MAILBOX if thing.what == "Mailbox" else kind
        # Of an address of a resource the end says most.
        name = thing.name if len(thing.name) <= 255 else "…" + thing.name[-254:]
        self._asset(kind, name, thing.identifier, alert, {"what": thing.what, **dict(thing.facts)})

    def _unknown(self, item: AlertEvidence, alert: Alert) -> None:
        """A kind that has no place of its own yet: kept whole, off the report until a person has looked."""
        self._event(
            moment(item.created) or moment(alert.created),
            f"Named by an alert: {evidence_kind(item.kind) or 'something of no kind'}",
            alert,
            key=("unknown", item.kind, repr(item.raw)[:2000]),
            lane=Event.Lane.OTHER,
            source=item.kind,
            row=dict(item.raw),
            in_report=False,
        )

    # --- writing, with what cannot be kept left to the sealed incident ---------------------------------------------

    def _source(self, alert: Alert) -> dict[str, str]:
        return {"incident": self.incident.id, "alert": alert.id[:200], "link": str(self.link.uuid)}

    def _note(self, row: Asset | Indicator | Event, new: bool, key: str = "") -> None:
        if new:
            self.brought[str(row.uuid)] = key
        elif str(row.uuid) not in self.link.brought and str(row.uuid) not in self.brought:
            self.named.add(str(row.uuid))

    def _room(self, *key: str) -> bool:
        """Whether this thing is new and there is room for it."""
        if key in self.seen:
            return False
        self.seen.add(key)
        if sum(self.counts.values()) < MOST_ROWS:
            return True
        self.left_out += 1
        return False

    def _asset(
        self, kind: Asset.Kind, name: str, identifier: str, alert: Alert, details: Mapping[str, str]
    ) -> Asset | None:
        if not name.strip() or not self._room("asset", kind, name.lower()):
            return Asset.objects.filter(case=self.case, kind=kind, name=findings.clean(name).strip().lower()).first()
        kept = {key: findings.clean(value) for key, value in details.items() if value}
        try:
            asset, new = findings.add_asset(
                case=self.case,
                actor=self.actor,
                kind=kind,
                name=name,
                identifier=identifier[:255],
                details=kept,
                provenance=self._source(alert),
            )
        except ValidationError:
            self.left_out += 1
            return None
        self.counts["assets"] += new
        self._note(asset, new)
        return asset

    def _indicator(
        self, kind: Indicator.Kind, value: str, item: AlertEvidence, alert: Alert, description: str = ""
    ) -> None:
        if not value.strip() or not self._room("indicator", kind, value):
            return
        try:
            indicator, new = findings.add_indicator(
                case=self.case,
                actor=self.actor,
                kind=kind,
                value=value,
                description=description[:2000],
                tlp=self.case.tlp,
                verdict=_VERDICTS.get(item.verdict.lower(), Indicator.Verdict.UNKNOWN),
                first_seen=moment(item.created),
                provenance=self._source(alert),
            )
        except ValidationError:
            self.left_out += 1
            return
        self.counts["indicators"] += new
        self._note(indicator, new)

    def _event(
        self,
        at: datetime | None,
        title: str,
        alert: Alert,
        *,
        key: tuple[str, ...],
        device: str = "",
        in_report: bool = True,
        **fields: Any,
    ) -> None:
        mark = hashlib.sha256("\x1f".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:24]
        if mark in self.events:
            if self.events[mark] not in self.link.brought and self.events[mark] not in self.brought:
                self.named.add(self.events[mark])
            return
        if not self._room("event", *key):
            return
        on = self.devices.get(device)
        event = findings.add_event(
            case=self.case,
            actor=self.actor,
            at=at or moment(self.incident.created) or timezone.now(),
            title=title,
            technique=_technique(alert.techniques) if fields.get("lane") != Event.Lane.OTHER else "",
            provenance={**self._source(alert), "key": mark},
            assets=[on] if on else [],
            **fields,
        )
        self.events[mark] = str(event.uuid)
        self._note(event, True, mark)
        if not in_report:
            findings.edit_event(event=event, actor=self.actor, in_report=False)
        self.counts["events"] += 1


def _technique(ids: tuple[str, ...]) -> str:
    return next((text for text in ids if _TECHNIQUE.fullmatch(text)), "")


def _join(file: FileFacts) -> str:
    """Folder and name: Graph gives the folder alone for some services, and the whole path for others."""
    if not file.path or file.path.lower().endswith(file.name.lower()):
        return file.path
    return file.path.rstrip("\\/") + "\\" + file.name


def moment(text: str) -> datetime | None:
    """Graph's time as an aware datetime in UTC; None for anything that is no ISO 8601 time with a zone."""
    try:
        at = datetime.fromisoformat(text)
        # The ends of the calendar cannot be moved to another zone, and nobody means them.
        return at.astimezone(UTC) if at.tzinfo is not None and at.year > 1970 else None
    except (ValueError, OverflowError):
        return None
