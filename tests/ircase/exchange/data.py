"""A made-up case as it leaves, and hostile values for it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from ircase.exchange.model import (
    SharedAsset,
    ShareData,
    SharedCase,
    SharedEvent,
    SharedIndicator,
    SharedSighting,
    SharedUse,
)
from ircase.models import Indicator

Kind = Indicator.Kind
DAY = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FAR = datetime(2099, 1, 1, tzinfo=UTC)
TABLE = UUID("7a0e0d4c-3a52-4c86-9a5c-33f6e2a6f001")
VALUES = {
    Kind.SHA256: "a" * 64, Kind.SHA1: "b" * 40, Kind.MD5: "c" * 32, Kind.IP: "203.0.113.7", Kind.DOMAIN: "bad.example",
    Kind.URL: "https://bad.example:8443/a/b?c=d", Kind.EMAIL: "eve@bad.example", Kind.EMAIL_SUBJECT: "Your invoice",
    Kind.FILE_NAME: "loader.exe", Kind.FILE_PATH: r"C:\Users\Public\loader.exe",
    Kind.REGISTRY: r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run", Kind.PROCESS: "powershell -enc AAAA",
    Kind.MUTEX: r"Global\m1", Kind.USER_AGENT: "Mozilla/5.0 (x)", Kind.CERTIFICATE: "d" * 40, Kind.ASN: "AS64500",
    Kind.ACCOUNT: "svc@corp.example", Kind.SERVICE: "UpdaterSvc", Kind.TASK: r"\Updater", Kind.MAILBOX_RULE: "Forward",
    Kind.OTHER: "a word",
}  # fmt: skip
# Everything that a text from outside may hold, lone surrogates, NUL and both quotes included.
hostile = st.text(
    st.one_of(st.characters(), st.sampled_from("'\"\\[]={}\n\r\t\x00\u2028\ud800,;=+-@|")), min_size=1, max_size=60
)


def number(one: int) -> UUID:
    return UUID(int=one, version=4)


def indicator(place: int = 1, kind: str = Kind.IP, value: str = "", **more: Any) -> SharedIndicator:
    values: dict[str, Any] = {
        "uuid": number(place), "kind": kind, "value": value or VALUES[Kind(kind)], "tlp": "green", "pap": "green",
        "verdict": "malicious", "words": "Seen by us", "added_at": DAY, "changed_at": DAY,
    }  # fmt: skip
    return SharedIndicator(**{**values, **more})


def every_kind() -> tuple[SharedIndicator, ...]:
    """One indicator of each kind, each seen in three rows."""
    seen = (SharedSighting(3, DAY, NOW, TABLE),)
    return tuple(indicator(place, kind, sightings=seen) for place, kind in enumerate(VALUES, 1))


def event(place: int = 1, title: str = "It began", **more: Any) -> SharedEvent:
    values: dict[str, Any] = {
        "uuid": number(1000 + place), "at": DAY, "until": None, "precision": "exact", "title": title, "words": "",
        "lane": "attacker", "source": "DeviceProcessEvents", "proved": True, "added_at": NOW,
    }  # fmt: skip
    return SharedEvent(**{**values, **more})


def asset(place: int = 1, kind: str = "device", name: str = "ws-07", **more: Any) -> SharedAsset:
    values: dict[str, Any] = {"compromise": "confirmed", "words": "", "added_at": DAY}
    return SharedAsset(number(2000 + place), kind, name, **{**values, **more})


def data(**more: Any) -> ShareData:
    case = SharedCase(
        uuid=UUID("0b9d3d7e-95ff-4d0b-8f40-9e61a7a26f11"), reference="IR-2026-0007", title="Loader on WS-07",
        summary="A loader came by RDP.", is_open=True, severity="high", tlp="amber", classification="truePositive",
        determination="malware", exercise=False, opened_at=DAY, changed_at=DAY,
    )  # fmt: skip
    values: dict[str, Any] = {"sender": "Contoso CSIRT", "case": case}
    return ShareData(**{**values, **more})


def rich() -> ShareData:
    """Something of everything."""
    run = SharedUse("T1547.001", "Registry Run Keys / Startup Folder", ("Persistence", "Privilege escalation"))
    shell = SharedUse("T1059.001", "PowerShell", ("Execution",))
    return data(
        indicators=(
            *every_kind(),
            indicator(50, Kind.DOMAIN, "c2.example", tags=("malware:qakbot", "tool:psexec", "wave-1"),
                      techniques=("T1547.001",), expires_at=FAR),
        ),
        events=(
            event(1, "A Run key was set", uses=(("T1547.001", "Persistence"), ("T1059.001", "")),
                  indicators=(number(11), number(50)), assets=(number(2001),), tags=("wave-1",)),
            event(2, "Told the bank", proved=False, lane="defender"),
            event(3, "Again", uses=(("T1547.001", "Persistence"),), until=NOW, precision="between"),
        ),
        assets=(asset(1), asset(2, "account", "bob@corp.example", compromise="suspected"),
                asset(3, "mailbox", "hr@corp.example", compromise="unknown"), asset(4, "application", "Payroll")),
        techniques=(shell, run),
        attack_version="v18.1",
    )  # fmt: skip
