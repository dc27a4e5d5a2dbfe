"""Which attribute or object of MISP an indicator is, https://www.misp-project.org/datamodels/.

Object templates are named by their published uuid and version, https://github.com/MISP/misp-objects.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ircase.exchange.stix.patterns import split_path
from ircase.exchange.texts import plain
from ircase.models import Asset, Indicator

Kind = Indicator.Kind


@dataclass(frozen=True)
class Template:
    name: str
    uuid: str
    version: str
    category: str
    description: str


@dataclass(frozen=True)
class Part:
    """One attribute of an object: its relation, MISP's type and category, and whether it may detect."""

    relation: str
    type: str
    category: str
    value: str
    detects: bool = False


@dataclass(frozen=True)
class Parts:
    template: Template
    parts: tuple[Part, ...]


FILE: Final = Template(
    "file", "688c46fb-5edb-40a3-8273-1af7923e2215", "25", "file", "A file, by its name and where it lies."
)
URL: Final = Template("url", "60efb77b-40b5-4c46-871b-ed1ed999fce5", "10", "network", "A URL with its parts.")
EMAIL: Final = Template("email", "a0c666e0-fc65-4be8-b48f-3423d788b552", "19", "network", "An e-mail.")
PROCESS: Final = Template("process", "02aeef94-ac23-455c-addb-731757ceafb5", "10", "misc", "A process.")
ACCOUNT: Final = Template("user-account", "49606b06-22f0-4ac8-8eee-2f12ad46f3d3", "6", "misc", "An account.")

# Type and category of what is one attribute; the last says whether its type can detect.
PLAIN: Final[Mapping[str, tuple[str, str, bool]]] = {
    Kind.SHA256: ("sha256", "Payload delivery", True),
    Kind.SHA1: ("sha1", "Payload delivery", True),
    Kind.MD5: ("md5", "Payload delivery", True),
    Kind.IP: ("ip-dst", "Network activity", True),
    Kind.DOMAIN: ("domain", "Network activity", True),
    Kind.EMAIL: ("email", "Network activity", True),
    Kind.FILE_NAME: ("filename", "Payload delivery", True),
    Kind.REGISTRY: ("regkey", "Persistence mechanism", True),
    Kind.MUTEX: ("mutex", "Artifacts dropped", True),
    Kind.USER_AGENT: ("user-agent", "Network activity", False),
    Kind.ASN: ("AS", "Network activity", False),
    Kind.SERVICE: ("windows-service-name", "Artifacts dropped", False),
    Kind.TASK: ("windows-scheduled-task", "Artifacts dropped", False),
    Kind.MAILBOX_RULE: ("text", "Persistence mechanism", False),
    Kind.OTHER: ("text", "Other", False),
}
TARGETS: Final[Mapping[str, str]] = {
    Asset.Kind.DEVICE: "target-machine",
    Asset.Kind.ACCOUNT: "target-user",
    Asset.Kind.MAILBOX: "target-email",
}


def plain_type(kind: str, value: str) -> tuple[str, str, bool] | None:
    """Type, category and whether it can detect, of what is one attribute; None for what is an object."""
    if kind == Kind.CERTIFICATE:
        return (f"x509-fingerprint-sha{'256' if len(value) == 64 else '1'}", "Network activity", True)
    return PLAIN.get(kind)


def parts_of(kind: str, value: str) -> Parts | None:
    """The object that a value is, None for what is one attribute."""
    make = _OBJECTS.get(kind)
    return make(plain(value)) if make else None


def _path(value: str) -> Parts:
    _, name = split_path(value)
    parts = [Part("fullpath", "text", "Artifacts dropped", value)]
    if name:
        parts.append(Part("filename", "filename", "Artifacts dropped", name, detects=True))
    return Parts(FILE, tuple(parts))


def _split(value: str) -> SplitResult | None:
    try:
        found = urlsplit(value)
        _ = found.port, found.hostname
    except ValueError:
        return None
    return found


def _url(value: str) -> Parts:
    parts = [Part("url", "url", "Network activity", value, detects=True)]
    found = _split(value)
    if found is not None and found.hostname:
        host = found.hostname
        parts.append(_host(host))
        parts.append(Part("scheme", "text", "Other", found.scheme))
        if found.port:
            parts.append(Part("port", "port", "Network activity", str(found.port)))
        if found.path not in ("", "/"):
            parts.append(Part("resource_path", "text", "Other", found.path))
        if found.query:
            parts.append(Part("query_string", "text", "Other", found.query))
    return Parts(URL, tuple(parts))


def _host(host: str) -> Part:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return Part("host", "hostname", "Network activity", host)
    return Part("ip", "ip-dst", "Network activity", host)


def _subject(value: str) -> Parts:
    return Parts(EMAIL, (Part("subject", "email-subject", "Payload delivery", value),))


def _command(value: str) -> Parts:
    return Parts(PROCESS, (Part("command-line", "text", "Other", value),))


def _account(value: str) -> Parts:
    return Parts(ACCOUNT, (Part("username", "text", "Other", value),))


_OBJECTS: Final[Mapping[str, Callable[[str], Parts]]] = {
    Kind.FILE_PATH: _path,
    Kind.URL: _url,
    Kind.EMAIL_SUBJECT: _subject,
    Kind.PROCESS: _command,
    Kind.ACCOUNT: _account,
}
