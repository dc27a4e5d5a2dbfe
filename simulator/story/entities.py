"""Entities of alerts, each told three ways: as Graph evidence, as a row of AlertEvidence and as Defender evidence.

Shapes: https://learn.microsoft.com/graph/api/resources/security-alertevidence and
https://learn.microsoft.com/defender-xdr/advanced-hunting-alertevidence-table
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.story.images import Image
from simulator.story.recorder import Process
from simulator.story.timeline import stamp
from simulator.story.world import DOMAIN, NETBIOS, Device, Person

_TYPE = "#microsoft.graph.security."


@dataclass(frozen=True)
class Entity:
    """One thing that an alert is about."""

    graph: dict[str, Any]
    row: dict[str, Any]
    flat: dict[str, Any] = field(default_factory=dict)


def _graph(kind: str, verdict: str, roles: list[str], **values: Any) -> dict[str, Any]:
    return {
        "@odata.type": f"{_TYPE}{kind}",
        "verdict": verdict,
        "remediationStatus": "none",
        "remediationStatusDetails": None,
        "roles": roles,
        "detailedRoles": [],
        "tags": [],
        **values,
    }


def _user_account(person: Person) -> dict[str, Any]:
    return {
        "accountName": person.account,
        "domainName": NETBIOS,
        "userSid": person.sid,
        "azureAdUserId": person.object_id,
        "userPrincipalName": person.upn,
        "displayName": person.display,
    }


def _file(image: Image) -> dict[str, Any]:
    return {
        "sha1": image.sha1,
        "sha256": image.sha256,
        "md5": image.md5,
        "fileName": image.name,
        "filePath": image.folder,
        "fileSize": image.size,
        "filePublisher": image.company or None,
        "signer": image.signer or None,
        "issuer": None,
    }


def device_entity(device: Device, first_seen: int) -> Entity:
    """The device."""
    graph = _graph(
        "deviceEvidence", "suspicious", ["compromised"], firstSeenDateTime=stamp(first_seen), mdeDeviceId=device.id,
        azureAdDeviceId=device.aad_id, deviceDnsName=device.name, hostName=device.host, ntDomain=NETBIOS,
        dnsDomain=DOMAIN, osPlatform=device.os_platform, osBuild=device.os_build, version=device.os_version,
        healthStatus="active", riskScore="high", rbacGroupId=140 if device.is_workstation else 141,
        rbacGroupName=device.group, onboardingStatus="onboarded", defenderAvStatus="updated",
        ipInterfaces=[device.ip], lastIpAddress=device.ip, lastExternalIpAddress=device.external_ip,
        loggedOnUsers=[{"accountName": device.owner.account, "domainName": NETBIOS}], vmMetadata=None,
    )  # fmt: skip
    return Entity(graph, {"EntityType": "Machine", "EvidenceRole": "Impacted", "LocalIP": device.ip,
                          "DeviceId": device.id, "DeviceName": device.name})  # fmt: skip


def user_entity(person: Person) -> Entity:
    """The account."""
    row = {
        "EntityType": "User", "EvidenceRole": "Impacted", "AccountName": person.account, "AccountDomain": NETBIOS,
        "AccountSid": person.sid, "AccountObjectId": person.object_id, "AccountUpn": person.upn,
    }  # fmt: skip
    flat = {
        "entityType": "User", "accountName": person.account, "domainName": NETBIOS, "userSid": person.sid,
        "aadUserId": person.object_id, "userPrincipalName": person.upn,
    }  # fmt: skip
    return Entity(_graph("userEvidence", "suspicious", ["compromised"], userAccount=_user_account(person)), row, flat)


def file_entity(image: Image, device: Device) -> Entity:
    """A file on a device."""
    graph = _graph(
        "fileEvidence", "malicious", [], detectionStatus="detected", mdeDeviceId=device.id, fileDetails=_file(image)
    )
    row = {
        "EntityType": "File", "EvidenceRole": "Related", "FileName": image.name, "FolderPath": image.folder,
        "SHA1": image.sha1, "SHA256": image.sha256, "FileSize": image.size, "DeviceId": device.id,
        "DeviceName": device.name,
    }  # fmt: skip
    flat = {"entityType": "File", "sha1": image.sha1, "sha256": image.sha256, "fileName": image.name,
            "filePath": image.folder, "detectionStatus": "Detected"}  # fmt: skip
    return Entity(graph, row, flat)


def process_entity(process: Process, person: Person) -> Entity:
    """A process; `person` stands in as its account."""
    parent, image, device = process.parent, process.image, process.device
    graph = _graph(
        "processEvidence", "suspicious", [], processId=process.pid, parentProcessId=parent.pid if parent else None,
        processCommandLine=process.command, processCreationDateTime=stamp(process.created),
        parentProcessCreationDateTime=stamp(parent.created) if parent else None, detectionStatus="detected",
        mdeDeviceId=device.id, imageFile=_file(image), parentProcessImageFile=_file(parent.image) if parent else None,
        userAccount=_user_account(person),
    )  # fmt: skip
    row = {
        "EntityType": "Process", "EvidenceRole": "Related", "FileName": image.name, "FolderPath": image.folder,
        "SHA1": image.sha1, "SHA256": image.sha256, "ProcessCommandLine": process.command, "DeviceId": device.id,
        "DeviceName": device.name, "AccountName": process.account.name, "AccountDomain": process.account.domain,
        "AccountSid": process.account.sid,
    }  # fmt: skip
    flat = {
        "entityType": "Process", "sha1": image.sha1, "sha256": image.sha256, "fileName": image.name,
        "filePath": image.folder, "processId": process.pid, "processCommandLine": process.command,
        "processCreationTime": stamp(process.created), "parentProcessId": parent.pid if parent else None,
        "parentProcessCreationTime": stamp(parent.created) if parent else None,
        "parentProcessFileName": parent.image.name if parent else None,
        "parentProcessFilePath": parent.image.folder if parent else None, "detectionStatus": "Detected",
    }  # fmt: skip
    return Entity(graph, row, flat)


def ip_entity(address: str, country: str | None, role: str) -> Entity:
    """An address."""
    graph = _graph("ipEvidence", "malicious", [role], ipAddress=address, countryLetterCode=country)
    return Entity(graph, {"EntityType": "Ip", "EvidenceRole": "Related", "RemoteIP": address},
                  {"entityType": "Ip", "ipAddress": address})  # fmt: skip


def url_entity(url: str) -> Entity:
    """A URL."""
    graph = _graph("urlEvidence", "malicious", [], url=url)
    return Entity(graph, {"EntityType": "Url", "EvidenceRole": "Related", "RemoteUrl": url},
                  {"entityType": "Url", "url": url})  # fmt: skip


def registry_key_entity(path: str) -> Entity:
    """A registry key, given with its hive."""
    hive, _, key = path.partition("\\")
    graph = _graph("registryKeyEvidence", "suspicious", [], registryKey=key, registryHive=hive)
    return Entity(graph, {"EntityType": "RegistryKey", "EvidenceRole": "Related", "RegistryKey": path},
                  {"entityType": "Registry", "registryHive": hive, "registryKey": key})  # fmt: skip


def registry_value_entity(path: str, name: str, data: str, device: Device) -> Entity:
    """A registry value."""
    hive, _, key = path.partition("\\")
    graph = _graph(
        "registryValueEvidence", "suspicious", [], mdeDeviceId=device.id, registryHive=hive, registryKey=key,
        registryValue=data, registryValueName=name, registryValueType="string",
    )  # fmt: skip
    row = {"EntityType": "RegistryValue", "EvidenceRole": "Related", "RegistryKey": path, "RegistryValueName": name,
           "RegistryValueData": data, "DeviceId": device.id, "DeviceName": device.name}  # fmt: skip
    flat = {"entityType": "Registry", "registryHive": hive, "registryKey": key, "registryValueType": "String",
            "registryValue": data}  # fmt: skip
    return Entity(graph, row, flat)


def mailbox_entity(person: Person) -> Entity:
    """A mailbox."""
    graph = _graph(
        "mailboxEvidence", "suspicious", ["compromised"], primaryAddress=person.upn, displayName=person.display,
        upn=person.upn, userAccount=_user_account(person),
    )  # fmt: skip
    return Entity(graph, {"EntityType": "Mailbox", "EvidenceRole": "Impacted", "AccountUpn": person.upn,
                          "AccountObjectId": person.object_id})  # fmt: skip


def message_entity(message: str, sender: Person, recipient: Person, received: int, url: str) -> Entity:
    """A mail that was delivered, with the one URL in it."""
    who = {"displayName": sender.display, "domainName": DOMAIN, "emailAddress": sender.upn}
    subject = "Updated remote access"
    graph = _graph(
        "analyzedMessageEvidence", "suspicious", [], networkMessageId=message,
        internetMessageId=f"<{message}@{DOMAIN}>", subject=subject, senderIp="198.51.100.80", p1Sender=who,
        p2Sender=who, recipientEmailAddress=recipient.upn, deliveryAction="Delivered", deliveryLocation="Inbox/folder",
        receivedDateTime=stamp(received), urls=[url], attachmentsCount=0,
        urlCount=1, language="en", threats=[], threatDetectionMethods=[], urn="urn:MailEntity:sim",
        antiSpamDirection="Intraorg",
    )  # fmt: skip
    row = {"EntityType": "MailMessage", "EvidenceRole": "Related", "NetworkMessageId": message, "EmailSubject": subject,
           "AccountUpn": recipient.upn}  # fmt: skip
    return Entity(graph, row)


def cloud_application_entity() -> Entity:
    """The cloud application in which the account was used."""
    graph = _graph(
        "cloudApplicationEvidence", "unknown", [], appId=20893, displayName="Microsoft Exchange Online",
        instanceId=0, instanceName="Microsoft Exchange Online", saasAppId=20893, stream=None,
    )  # fmt: skip
    return Entity(graph, {"EntityType": "CloudApplication", "EvidenceRole": "Related", "ApplicationId": 20893,
                          "Application": "Microsoft Exchange Online"})  # fmt: skip
