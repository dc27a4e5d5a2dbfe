"""Evidence of alerts about clouds, containers, applications, sessions and messages, read into what it names.

Graph documents some fifty kinds. Ten of them have a class of their own in `msapi.evidence`; the others are read here
into things (which become assets), observables (which become indicators), one happening (which becomes an event) and
the evidence that lies inside them. https://learn.microsoft.com/graph/api/resources/security-alertevidence
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.reading import mapping, objects, text, texts

_MOST: Final = 25


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that was touched. `what` is its kind in words; `application` is True for what acts in the directory."""

    what: str
    name: str
    identifier: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    application: bool = False


@dataclass(frozen=True, slots=True)
class Observable:
    """Something to look for. `kind` as in ip, domain, url, email, sha256, sha1, md5, other."""

    kind: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened; `at` is UTC text as sent, and may be empty."""

    at: str
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Everything that one item of evidence names. `inside` are items of evidence within it, as they came."""

    things: tuple[Thing, ...] = ()
    observables: tuple[Observable, ...] = ()
    happening: Happening | None = None
    inside: tuple[Mapping[str, Any], ...] = ()


def _facts(raw: Any, **names: str) -> tuple[tuple[str, str], ...]:
    found = ((label, text(raw, key) or ", ".join(texts(raw, key)[:_MOST])) for label, key in names.items())
    return tuple((label, value) for label, value in found if value)


def _thing(what: str, name: str, identifier: str = "", *, application: bool = False, **facts: str) -> Any:
    """A reader: the fields `name` and `identifier` of the object, and `facts` as label=field."""

    def read(raw: Any) -> Mentions:
        own, known = text(raw, *name.split("|")), text(raw, identifier) if identifier else ""
        return Mentions((Thing(what, own or known, known, _facts(raw, **facts), application),))

    return read


def _inside(raw: Any, **kinds: str) -> tuple[Mapping[str, Any], ...]:
    """The objects under these fields, one or a list of them; one that tells no type gets the field's."""
    found: list[Mapping[str, Any]] = []
    for key, kind in kinds.items():
        one = mapping(raw, key)
        items = objects(raw, key)[:_MOST] or ((one,) if one else ())
        found += [item if text(item, "@odata.type") else {**item, "@odata.type": kind} for item in items]
    return tuple(found)


def hash_of(algorithm: str, value: str) -> Observable | None:
    """A hash as an observable, by its algorithm or, where that is unknown, by its length."""
    kind = {"sha256": "sha256", "sha256ac": "sha256", "sha1": "sha1", "md5": "md5"}.get(algorithm.lower())
    kind = kind or {64: "sha256", 40: "sha1", 32: "md5"}.get(len(value))
    return Observable(kind, value) if kind and value else None


def _hashes(items: Iterable[Any]) -> tuple[Observable, ...]:
    found = (hash_of(text(item, "algorithm"), text(item, "value")) for item in items)
    return tuple(item for item in found if item)


def _addresses(note: str, *values: str) -> tuple[Observable, ...]:
    return tuple(Observable("ip", value, note) for value in values if value)


def _file_hash(raw: Any) -> Mentions:
    return Mentions(observables=_hashes((raw,)))


def _blob(raw: Any) -> Mentions:
    thing = Thing("Blob", text(raw, "url", "name"), text(raw, "etag"))
    return Mentions((thing,), _hashes(objects(raw, "fileHashes")[:_MOST]), None,
                    _inside(raw, blobContainer="blobContainerEvidence"))  # fmt: skip


def _container(raw: Any) -> Mentions:
    told = " ".join((*texts(raw, "command"), *texts(raw, "args")))
    thing = Thing("Container", text(raw, "name", "containerId"), text(raw, "containerId"),
                  _facts(raw, command="command", privileged="isPrivileged"))  # fmt: skip
    started = Happening("", f"Container {thing.name} ran", told) if told else None
    return Mentions((thing,), (), started, _inside(raw, image="containerImageEvidence", pod="kubernetesPodEvidence"))


def _image(raw: Any) -> Mentions:
    digest = text(raw, "digestImage")
    thing = Thing("Container image", text(raw, "imageId") or digest, digest)
    known = hash_of("", digest.rpartition(":")[2])
    return Mentions((thing,), (known,) if known else (), None, _inside(raw, registry="containerRegistryEvidence"))


def _in_namespace(what: str, **facts: str) -> Callable[[Any], Mentions]:
    def read(raw: Any) -> Mentions:
        space = mapping(raw, "namespace")
        cluster = text(mapping(space, "cluster"), "name")
        path = "/".join(part for part in (cluster, text(space, "name"), text(raw, "name")) if part)
        pod = _addresses("Pod's address", text(mapping(raw, "podIp"), "ipAddress"))
        outside = _addresses("Service's address", *(text(ip, "ipAddress") for ip in objects(raw, "externalIPs")))
        inside = _inside(raw, serviceAccount="kubernetesServiceAccountEvidence", containers="containerEvidence")
        return Mentions((Thing(what, path, "", _facts(raw, **facts)),), pod + outside, None, inside)

    return read


def _cluster(raw: Any) -> Mentions:
    thing = Thing("Kubernetes cluster", text(raw, "name"), "", _facts(raw, platform="platform", version="version"))
    return Mentions((thing,), inside=_inside(raw, cloudResource="azureResourceEvidence"))


def _logon_session(raw: Any) -> Mentions:
    device, agent = text(raw, "deviceName"), text(raw, "userAgent") or text(raw, "browser")
    words = ", ".join(part for part in (text(raw, "protocol"), text(raw, "operatingSystem"), agent) if part)
    title = f"Cloud sign-in session{' from ' + device if device else ''}"
    return Mentions(happening=Happening(text(raw, "startUtcDateTime"), title, words or text(raw, "sessionId")),
                    inside=_inside(raw, account="userEvidence"))  # fmt: skip


def _logon_request(raw: Any) -> Mentions:
    return Mentions(happening=Happening("", "Cloud sign-in request", text(raw, "requestId")))


def _host_session(raw: Any) -> Mentions:
    ended = text(raw, "endUtcDateTime")
    told = f"Session {text(raw, 'sessionId')}" + (f", ended {ended}" if ended else "")
    return Mentions(happening=Happening(text(raw, "startUtcDateTime"), "Sign-in session on a device", told),
                    inside=_inside(raw, account="userEvidence", host="deviceEvidence"))  # fmt: skip


def _mail_cluster(raw: Any) -> Mentions:
    by, value = text(raw, "clusterBy"), text(raw, "clusterByValue")
    title = f"{text(raw, 'emailCount') or 'Several'} alike messages, grouped by {by or 'their content'}"
    return Mentions(happening=Happening("", title, text(raw, "query") or value))


def _submission(raw: Any) -> Mentions:
    title = f"Message “{text(raw, 'subject')}” reported by {text(raw, 'submitter') or 'somebody'}"
    told = ", ".join(part for part in (text(raw, "reportType"), f"from {text(raw, 'sender')}") if part)
    sender = Observable("email", text(raw, "sender"), "Sender")
    seen = tuple(item for item in (sender,) if item.value) + _addresses("Sender's address", text(raw, "senderIp"))
    return Mentions(
        _mailboxes((text(raw, "recipient"),)), seen, Happening(text(raw, "submissionDateTime"), title, told)
    )


def _teams_message(raw: Any) -> Mentions:
    sender = text(raw, "senderFromAddress")
    title = f"Teams message “{text(raw, 'subject')}” from {sender or 'unknown'}"
    told = ", ".join(part for part in (text(raw, "deliveryAction"), text(raw, "messageDirection")) if part)
    seen = [Observable("email", sender, "Sender")] if sender else []
    seen += _addresses("Sender's address", text(raw, "senderIP"))
    links = (text(item, "url") for item in objects(raw, "urls")[:_MOST])
    seen += [Observable("url", link, "In a Teams message") for link in (*links, *_plain(raw, "urls")) if link]
    return Mentions((), tuple(seen), Happening(text(raw, "receivedDateTime"), title, told),
                    _inside(raw, files="fileEvidence"))  # fmt: skip


def _plain(raw: Any, key: str) -> tuple[str, ...]:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return tuple(item for item in value[:_MOST] if isinstance(item, str)) if isinstance(value, list) else ()


def _mailboxes(addresses: Iterable[str]) -> tuple[Thing, ...]:
    return tuple(Thing("Mailbox", address) for address in addresses if address)


def _mailbox_configuration(raw: Any) -> Mentions:
    address = text(raw, "mailboxPrimaryAddress", "upn")
    title = f"Mailbox configuration {text(raw, 'configurationType')} of {address or 'a mailbox'}"
    return Mentions(_mailboxes((address,)), (), Happening("", title, text(raw, "displayName", "configurationId")))


def _connection(raw: Any) -> Mentions:
    ends = [text(mapping(raw, key), "ipAddress") for key in ("sourceAddress", "destinationAddress")]
    ports = [text(raw, key) for key in ("sourcePort", "destinationPort")]
    shown = [f"{ip}:{port}" if port else ip for ip, port in zip(ends, ports, strict=True)]
    title = f"Connection from {shown[0] or 'unknown'} to {shown[1] or 'unknown'}"
    seen = _addresses("Source", ends[0]) + _addresses("Destination", ends[1])
    return Mentions((), seen, Happening("", title, text(raw, "protocol")))


def _nic(raw: Any) -> Mentions:
    mac = text(raw, "macAddress")
    own = (Observable("other", mac, "MAC address"),) if mac else ()
    return Mentions(observables=own + _addresses("Network card", text(mapping(raw, "ipAddress"), "ipAddress")))


def _iot(raw: Any) -> Mentions:
    facts = _facts(raw, manufacturer="manufacturer", model="model", os="operatingSystem", serial="serialNumber",
                   mac="macAddress", type="deviceType", site="site", zone="zone")  # fmt: skip
    name, known = text(raw, "deviceName", "deviceId"), text(raw, "deviceId")
    seen = _addresses("Device's address", text(mapping(raw, "ipAddress"), "ipAddress"))
    return Mentions((Thing("IoT device", name, known, facts),), seen, None, _inside(raw, nics="nicEvidence"))


def _dns(raw: Any) -> Mentions:
    name = text(raw, "domainName")
    own = (Observable("domain", name),) if name else ()
    answers = (text(item, "ipAddress") for item in objects(raw, "ipAddresses")[:_MOST])
    asked = _addresses("DNS server", text(mapping(raw, "dnsServerIp"), "ipAddress"))
    return Mentions(observables=own + _addresses(f"Answer for {name}", *answers) + asked)


def _malware(raw: Any) -> Mentions:
    name, category = text(raw, "name"), text(raw, "category")
    happened = Happening("", f"Malware {name or 'without a name'}", category)
    inside = _inside(raw, files="fileEvidence", processes="processEvidence")
    return Mentions((), (Observable("other", name, "Malware's name"),) if name else (), happened, inside)


def _sas_token(raw: Any) -> Mentions:
    facts = _facts(
        raw, permissions="permissions", services="allowedServices", protocol="protocol", end="expiryDateTime"
    )
    told = "; ".join(f"{label} {value}" for label, value in facts)
    signature = text(raw, "signatureHash")
    seen = (Observable("other", signature, "Shared access token, hash of its signature"),) if signature else ()
    return Mentions((), seen, Happening(text(raw, "startDateTime"), "Shared access token", told),
                    _inside(raw, storageResource="azureResourceEvidence"))  # fmt: skip


def _domain(raw: Any) -> Mentions:
    name = text(raw, "activeDirectoryDomainName")
    return Mentions((Thing("Active Directory domain", name),) if name else ())


READERS: Final[Mapping[str, Callable[[Any], Mentions]]] = {
    "activedirectorydomainevidence": _domain,
    "aiagentevidence": _thing("AI agent", "agentName|displayName", "agentId", application=True, host="hostingPlatform"),
    "amazonresourceevidence": _thing(
        "Amazon resource", "resourceName", "amazonResourceId", type="resourceType", account="amazonAccountId"
    ),
    "azureresourceevidence": _thing("Azure resource", "resourceName", "resourceId", type="resourceType"),
    "blobcontainerevidence": _thing("Blob container", "name|url", "url"),
    "blobevidence": _blob,
    "cloudapplicationevidence": _thing(
        "Cloud application", "displayName", "appId", application=True, instance="instanceName", saas="saasAppId"
    ),
    "cloudlogonrequestevidence": _logon_request,
    "cloudlogonsessionevidence": _logon_session,
    "containerevidence": _container,
    "containerimageevidence": _image,
    "containerregistryevidence": _thing("Container registry", "registry"),
    "dnsevidence": _dns,
    "filehashevidence": _file_hash,
    "githuborganizationevidence": _thing("GitHub organization", "login|displayName", "orgId", address="webUrl"),
    "githubrepoevidence": _thing("GitHub repository", "baseUrl|repoId", "repoId", owner="owner"),
    "githubuserevidence": _thing("GitHub user", "login|name", "userId", mail="email", address="webUrl"),
    "googlecloudresourceevidence": _thing(
        "Google Cloud resource", "resourceName", "fullResourceName", type="resourceType", project="projectId"
    ),
    "hostlogonsessionevidence": _host_session,
    "iotdeviceevidence": _iot,
    "kubernetesclusterevidence": _cluster,
    "kubernetescontrollerevidence": _in_namespace("Kubernetes controller", type="type"),
    "kubernetesnamespaceevidence": _in_namespace("Kubernetes namespace"),
    "kubernetespodevidence": _in_namespace("Kubernetes pod"),
    "kubernetessecretevidence": _in_namespace("Kubernetes secret", type="secretType"),
    "kubernetesserviceaccountevidence": _in_namespace("Kubernetes service account"),
    "kubernetesserviceevidence": _in_namespace("Kubernetes service", type="serviceType"),
    "mailboxconfigurationevidence": _mailbox_configuration,
    "mailclusterevidence": _mail_cluster,
    "malwareevidence": _malware,
    "networkconnectionevidence": _connection,
    "nicevidence": _nic,
    "oauthapplicationevidence": _thing(
        "OAuth application", "displayName", "appId", application=True, publisher="publisher", object="objectId"
    ),
    "sastokenevidence": _sas_token,
    "securitygroupevidence": _thing("Security group", "displayName|friendlyName", "securityGroupId"),
    "serviceprincipalevidence": _thing(
        "Service principal", "servicePrincipalName", "servicePrincipalObjectId", application=True, app="appId"
    ),
    "submissionmailevidence": _submission,
    "teamsmessageevidence": _teams_message,
}
