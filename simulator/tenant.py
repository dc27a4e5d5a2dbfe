"""The tenant: its id, the workspace, the signing key and the registered apps with their roles and secrets."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.state import State


class Service(StrEnum):
    """The services behind the one base URL."""

    ENTRA = "entra"
    GRAPH = "graph"
    DEFENDER = "defender"
    LOG_ANALYTICS = "loganalytics"
    KUSTO = "kusto"
    BLOB = "blob"
    STAMPS = "stamps"
    CONTROL = "control"


# Scope resource -> the audience written into the token, and the service that takes it.
RESOURCES: dict[str, tuple[str, Service]] = {
    "https://graph.microsoft.com": ("https://graph.microsoft.com", Service.GRAPH),
    "00000003-0000-0000-c000-000000000000": ("00000003-0000-0000-c000-000000000000", Service.GRAPH),
    "https://api.securitycenter.microsoft.com": ("https://api.securitycenter.microsoft.com", Service.DEFENDER),
    "https://securitycenter.onmicrosoft.com/windowsatpservice": (
        "https://securitycenter.onmicrosoft.com/windowsatpservice",
        Service.DEFENDER,
    ),
    "https://api.loganalytics.io": ("https://api.loganalytics.io", Service.LOG_ANALYTICS),
    # Carries no application roles: a cluster gives its own.
    "https://kusto.kusto.windows.net": ("https://kusto.kusto.windows.net", Service.KUSTO),
}
AUDIENCES: dict[str, Service] = dict(RESOURCES.values())

_FULL: dict[Service, tuple[str, ...]] = {
    Service.GRAPH: (
        "ThreatHunting.Read.All", "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All",
        "SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All",
    ),
    Service.DEFENDER: (
        "Machine.Read.All", "Machine.ReadWrite.All", "Machine.LiveResponse", "Machine.Isolate",
        "Machine.RestrictExecution", "Machine.Scan", "Machine.CollectForensics", "Machine.StopAndQuarantine",
        "Machine.Offboard", "Library.Manage", "Alert.Read.All", "Alert.ReadWrite.All", "User.Read.All",
        "File.Read.All", "Ip.Read.All", "URL.Read.All", "Software.Read.All", "Vulnerability.Read.All",
        "SecurityRecommendation.Read.All", "Ti.ReadWrite.All",
    ),
    Service.LOG_ANALYTICS: ("Data.Read",),
}  # fmt: skip
_READ_ONLY: dict[Service, tuple[str, ...]] = {
    Service.GRAPH: ("ThreatHunting.Read.All", "SecurityIncident.Read.All", "SecurityAlert.Read.All"),
}


@dataclass(frozen=True)
class App:
    """An app registration. `roles` by service; `secret_expired` and `consented` make sign-in fail as Entra does."""

    name: str
    client_id: str
    secret: str
    roles: dict[Service, tuple[str, ...]]
    secret_expired: bool = False
    consented: bool = True


@dataclass(frozen=True)
class Tenant:
    """Who the simulator is; the same for the life of a state folder."""

    id: str
    workspace: str
    apps: tuple[App, ...]
    key: rsa.RSAPrivateKey
    key_id: str
    link_secret: str

    @property
    def other_workspace(self) -> str:
        """A second workspace, which keeps a copy of the first one's tables."""
        return str(uuid.uuid5(uuid.UUID(self.workspace), "second"))

    def app(self, client_id: str) -> App | None:
        """The app with that client id."""
        return next((app for app in self.apps if app.client_id == client_id), None)


def _fresh() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    names = ("ircase", "ircase-readonly", "ircase-expired", "ircase-no-consent")
    return {
        "id": str(uuid.uuid4()),
        "workspace": str(uuid.uuid4()),
        "key": pem.decode(),
        "key_id": secrets.token_urlsafe(20),
        "link_secret": secrets.token_hex(32),
        "apps": {name: [str(uuid.uuid4()), f"sim~{secrets.token_urlsafe(30)}"] for name in names},
    }


def _app(name: str, known: dict[str, list[str]], roles: dict[Service, tuple[str, ...]]) -> App:
    client_id, secret = known[name]
    return App(name, client_id, secret, roles)


def load_tenant(state: State) -> Tenant:
    """The tenant of a state folder, made on first use."""
    known = state.get("tenant", "tenant")
    if known is None:
        known = _fresh()
        state.put("tenant", "tenant", known)
    key = serialization.load_pem_private_key(known["key"].encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("The state folder holds a key of another kind than RSA; start with an empty folder.")
    apps = known["apps"]
    return Tenant(
        id=known["id"],
        workspace=known["workspace"],
        apps=(
            _app("ircase", apps, _FULL),
            _app("ircase-readonly", apps, _READ_ONLY),
            replace(_app("ircase-expired", apps, _FULL), secret_expired=True),
            replace(_app("ircase-no-consent", apps, _FULL), consented=False),
        ),
        key=key,
        key_id=known["key_id"],
        link_secret=known["link_secret"],
    )


def rotate(state: State) -> Tenant:
    """The same tenant with a new signing key; the old one is published no more."""
    known = state.get("tenant", "tenant") or {}
    state.put("tenant", "tenant", known | {name: value for name, value in _fresh().items() if name.startswith("key")})
    return load_tenant(state)
