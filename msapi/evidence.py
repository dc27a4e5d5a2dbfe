"""The evidence of Graph alerts, typed for every kind that Graph documents; what is unknown is kept as it came.

https://learn.microsoft.com/graph/api/resources/security-alertevidence
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.mentions import READERS as MENTIONS
from msapi.mentions import Mentions
from msapi.reading import mapping, number, objects, text, texts

_PREFIX: Final = "microsoft.graph.security."


@dataclass(frozen=True, slots=True)
class Account:
    """An account as alerts name it; any field may be empty."""

    name: str
    domain: str
    sid: str
    entra_id: str
    upn: str
    display_name: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as alerts name it; `size` in bytes."""

    name: str
    path: str
    sha1: str
    sha256: str
    md5: str
    size: int | None
    signer: str
    issuer: str
    publisher: str


@dataclass(frozen=True, slots=True)
class DeviceEvidence:
    """A device; `device_id` is Defender's, the DeviceId of hunting."""

    device_id: str
    entra_device_id: str
    dns_name: str
    host_name: str
    os_platform: str
    os_version: str
    health: str
    risk: str
    last_ip: str
    last_external_ip: str
    ip_interfaces: tuple[str, ...]
    logged_on: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class UserEvidence:
    """An account."""

    account: Account


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """A file on a device."""

    file: FileFacts
    device_id: str
    detection: str


@dataclass(frozen=True, slots=True)
class ProcessEvidence:
    """A process: times are UTC text as sent."""

    process_id: int | None
    command_line: str
    created: str
    image: FileFacts
    parent_process_id: int | None
    parent_created: str
    parent_image: FileFacts
    account: Account
    device_id: str
    detection: str


@dataclass(frozen=True, slots=True)
class IpEvidence:
    """An address."""

    address: str
    country: str


@dataclass(frozen=True, slots=True)
class UrlEvidence:
    """A web address."""

    url: str


@dataclass(frozen=True, slots=True)
class RegistryEvidence:
    """A registry key, or a value in it where `value_name` or `value` is filled."""

    hive: str
    key: str
    value_name: str
    value: str
    value_type: str
    device_id: str


@dataclass(frozen=True, slots=True)
class MailboxEvidence:
    """A mailbox."""

    address: str
    display_name: str
    account: Account


@dataclass(frozen=True, slots=True)
class MessageEvidence:
    """A message that was analysed."""

    network_message_id: str
    internet_message_id: str
    subject: str
    sender: str
    sender_ip: str
    recipient: str
    received: str
    delivery: str
    location: str
    urls: tuple[str, ...]
    attachments: int | None


Detail = (
    DeviceEvidence
    | UserEvidence
    | FileEvidence
    | ProcessEvidence
    | IpEvidence
    | UrlEvidence
    | RegistryEvidence
    | MailboxEvidence
    | MessageEvidence
    | Mentions
)


@dataclass(frozen=True, slots=True)
class AlertEvidence:
    """One entity of an alert. `kind` is Graph's type name, as in "processEvidence"; `raw` is the object as it came.

    `detail` is None for kinds that Graph did not document when this was written: what they say is in `raw`.
    """

    kind: str
    created: str
    verdict: str
    remediation: str
    roles: tuple[str, ...]
    tags: tuple[str, ...]
    detail: Detail | None
    raw: Mapping[str, Any]


def read_evidence(raw: Mapping[str, Any]) -> AlertEvidence:
    """One item of an alert's evidence list. Never raises."""
    kind = text(raw, "@odata.type").removeprefix("#").removeprefix(_PREFIX)
    reader = _READERS.get(kind.lower())
    return AlertEvidence(
        kind=kind,
        created=text(raw, "createdDateTime"),
        verdict=text(raw, "verdict"),
        remediation=text(raw, "remediationStatus"),
        roles=texts(raw, "roles") + texts(raw, "detailedRoles"),
        tags=texts(raw, "tags"),
        detail=reader(raw) if reader else None,
        raw=raw,
    )


def _account(raw: Any) -> Account:
    return Account(
        name=text(raw, "accountName"),
        domain=text(raw, "domainName"),
        sid=text(raw, "userSid"),
        entra_id=text(raw, "azureAdUserId"),
        upn=text(raw, "userPrincipalName"),
        display_name=text(raw, "displayName"),
    )


def _file(raw: Any) -> FileFacts:
    return FileFacts(
        name=text(raw, "fileName"),
        path=text(raw, "filePath"),
        sha1=text(raw, "sha1"),
        sha256=text(raw, "sha256"),
        md5=text(raw, "md5"),
        size=number(raw, "fileSize"),
        signer=text(raw, "signer"),
        issuer=text(raw, "issuer"),
        publisher=text(raw, "filePublisher"),
    )


def _device(raw: Any) -> Detail:
    dns_name = text(raw, "deviceDnsName")
    return DeviceEvidence(
        device_id=text(raw, "mdeDeviceId"),
        entra_device_id=text(raw, "azureAdDeviceId"),
        dns_name=dns_name,
        host_name=text(raw, "hostName") or dns_name.split(".")[0],
        os_platform=text(raw, "osPlatform"),
        os_version=text(raw, "version"),
        health=text(raw, "healthStatus"),
        risk=text(raw, "riskScore"),
        last_ip=text(raw, "lastIpAddress"),
        last_external_ip=text(raw, "lastExternalIpAddress"),
        ip_interfaces=texts(raw, "ipInterfaces"),
        logged_on=tuple(_account(item) for item in objects(raw, "loggedOnUsers")),
    )


def _process(raw: Any) -> Detail:
    return ProcessEvidence(
        process_id=number(raw, "processId"),
        command_line=text(raw, "processCommandLine"),
        created=text(raw, "processCreationDateTime"),
        image=_file(mapping(raw, "imageFile")),
        parent_process_id=number(raw, "parentProcessId"),
        parent_created=text(raw, "parentProcessCreationDateTime"),
        parent_image=_file(mapping(raw, "parentProcessImageFile")),
        account=_account(mapping(raw, "userAccount")),
        device_id=text(raw, "mdeDeviceId"),
        detection=text(raw, "detectionStatus"),
    )


def _registry(raw: Any) -> Detail:
    return RegistryEvidence(
        hive=text(raw, "registryHive"),
        key=text(raw, "registryKey"),
        value_name=text(raw, "registryValueName"),
        value=text(raw, "registryValue"),
        value_type=text(raw, "registryValueType"),
        device_id=text(raw, "mdeDeviceId"),
    )


def _message(raw: Any) -> Detail:
    return MessageEvidence(
        network_message_id=text(raw, "networkMessageId"),
        internet_message_id=text(raw, "internetMessageId"),
        subject=text(raw, "subject"),
        sender=text(mapping(raw, "p2Sender"), "emailAddress") or text(mapping(raw, "p1Sender"), "emailAddress"),
        sender_ip=text(raw, "senderIp"),
        recipient=text(raw, "recipientEmailAddress"),
        received=text(raw, "receivedDateTime"),
        delivery=text(raw, "deliveryAction"),
        location=text(raw, "deliveryLocation"),
        urls=texts(raw, "urls"),
        attachments=number(raw, "attachmentsCount"),
    )


def _file_evidence(raw: Any) -> Detail:
    return FileEvidence(_file(mapping(raw, "fileDetails")), text(raw, "mdeDeviceId"), text(raw, "detectionStatus"))


def _mailbox(raw: Any) -> Detail:
    account = _account(mapping(raw, "userAccount"))
    return MailboxEvidence(text(raw, "primaryAddress", "upn"), text(raw, "displayName"), account)


_READERS: Final[Mapping[str, Callable[[Any], Detail]]] = {
    "deviceevidence": _device,
    "userevidence": lambda raw: UserEvidence(_account(mapping(raw, "userAccount"))),
    "fileevidence": _file_evidence,
    "processevidence": _process,
    "ipevidence": lambda raw: IpEvidence(text(raw, "ipAddress"), text(raw, "countryLetterCode")),
    "urlevidence": lambda raw: UrlEvidence(text(raw, "url")),
    "registrykeyevidence": _registry,
    "registryvalueevidence": _registry,
    "mailboxevidence": _mailbox,
    "analyzedmessageevidence": _message,
    **MENTIONS,
}
