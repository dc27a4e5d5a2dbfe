"""What a technique of ATT&CK is in VERIS: a kind of action, its variety and its vector; and what it does to an asset.

Words: https://verisframework.org/enums.html and https://github.com/vz-risk/veris (verisc-enum.json). Which technique is
which word follows https://center-for-threat-informed-defense.github.io/mappings-explorer/external/veris/, one word for
each where that names several; a technique that is not here says nothing in VERIS.
"""

from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = "Unknown"


@dataclass(frozen=True)
class Act:
    """`kind` is one of VERIS's seven, `vector` how it came. What follows of it: `integrity` and `availability` are
    varieties of those attributes, `seen` says that data may have been disclosed. `outside`: only somebody from outside
    does it."""

    kind: str
    variety: str = UNKNOWN
    vector: str = UNKNOWN
    integrity: str = ""
    availability: str = ""
    seen: bool = False
    outside: bool = False


_STEAL: Final = Act("malware", "Capture stored data", seen=True)
_SEND: Final = Act("malware", "Export data", seen=True)
_C2: Final = Act("malware", "C2", "C2")
_STAY: Final = Act("malware", "Backdoor", integrity="Modify configuration")
_EXPLOIT: Final = Act("hacking", "Exploit vuln")
_PROFILE: Final = Act("hacking", "Profile host")
_SCAN: Final = Act("hacking", "Scan network")
_SPY: Final = Act("malware", "Spyware/Keylogger", seen=True)
_CREDS: Final = Act("hacking", "Use of stolen creds")
_PHISH: Final = Act("social", "Phishing", "Email", outside=True)
_DUMP: Final = Act("malware", "Password dumper", seen=True)
_DESTROY: Final = Act("malware", "Destroy data", availability="Destruction")
_DOS: Final = Act("hacking", "DoS", availability="Degradation")

ACTS: Final[dict[str, Act]] = {
    # How they came in
    "T1566": Act("social", "Phishing", UNKNOWN, outside=True), "T1566.001": _PHISH, "T1566.002": _PHISH,
    "T1566.004": Act("social", "Phishing", "Phone", outside=True), "T1598": Act("social", "Phishing", outside=True),
    "T1534": Act("social", "Phishing", "Email"),
    "T1190": Act("hacking", "Exploit vuln", outside=True), "T1133": Act("hacking", UNKNOWN, outside=True),
    "T1189": Act("malware", UNKNOWN, "Web application - drive-by", outside=True),
    "T1195": Act("malware", UNKNOWN, "Software update", outside=True),
    "T1199": Act("hacking", UNKNOWN, "Partner", outside=True),
    "T1091": Act("malware", "Worm", "Removable media"), "T1078": _CREDS,
    # Credentials
    "T1110": Act("hacking", "Brute force"), "T1110.002": Act("hacking", "Offline cracking"),
    "T1550": _CREDS, "T1550.002": Act("hacking", "Pass-the-hash"), "T1550.004": Act("hacking", "Session replay"),
    "T1539": Act("hacking", "Session replay"), "T1003": _DUMP, "T1555": _DUMP, "T1552": _STEAL, "T1056": _SPY,
    "T1557": Act("hacking", "MitM"), "T1040": Act("malware", "Packet sniffer", seen=True),
    # Moving, running, rising
    "T1021": _CREDS, "T1021.001": Act("hacking", "Use of stolen creds", "Desktop sharing software"),
    "T1059": Act("hacking", "Abuse of functionality", "Command shell"),
    "T1219": Act("hacking", "Abuse of functionality", "Desktop sharing software"),
    "T1068": _EXPLOIT, "T1203": _EXPLOIT, "T1210": _EXPLOIT, "T1211": _EXPLOIT, "T1212": _EXPLOIT,
    "T1055": Act("malware", "In-memory"), "T1014": Act("malware", "Rootkit"),
    # Staying, hiding
    "T1037": _STAY, "T1053": _STAY, "T1505": _STAY, "T1543": _STAY, "T1546": _STAY, "T1547": _STAY,
    "T1136": Act("hacking", "Abuse of functionality", integrity="Created account"),
    "T1098": Act("hacking", "Abuse of functionality", integrity="Modify privileges"),
    "T1112": Act("hacking", "Abuse of functionality", integrity="Modify configuration"),
    "T1484": Act("hacking", "Abuse of functionality", integrity="Modify configuration"),
    "T1027": Act("malware", "Evade Defenses"), "T1036": Act("malware", "Evade Defenses"),
    "T1070": Act("hacking", "Evade Defenses", integrity="Log tampering"),
    "T1562": Act("hacking", "Disable controls", integrity="Modify configuration"),
    # Looking around
    "T1046": _SCAN, "T1018": _SCAN, "T1595": Act("hacking", "Scan network", outside=True),
    **dict.fromkeys(("T1016", "T1033", "T1049", "T1057", "T1069", "T1082", "T1083", "T1087", "T1482"), _PROFILE),
    # Speaking home, taking away
    **dict.fromkeys(("T1071", "T1090", "T1095", "T1102", "T1132", "T1571", "T1572", "T1573"), _C2),
    "T1105": Act("malware", "Downloader", "Download by malware", integrity="Software installation"),
    **dict.fromkeys(("T1005", "T1039", "T1074", "T1114", "T1213", "T1560"), _STEAL),
    **dict.fromkeys(("T1113", "T1123", "T1125"), _SPY),
    **dict.fromkeys(("T1020", "T1041", "T1048", "T1537", "T1567"), _SEND),
    # Harm
    "T1486": Act("malware", "Ransomware", availability="Obscuration"), "T1485": _DESTROY, "T1561": _DESTROY,
    "T1490": Act("malware", "Disable controls", availability="Loss"),
    "T1489": Act("malware", "Disable controls", availability="Interruption"),
    "T1498": _DOS, "T1499": _DOS, "T1531": Act("hacking", "Abuse of functionality", availability="Interruption"),
    "T1496": Act("malware", "Cryptocurrency mining", integrity="Repurpose"),
    "T1491": Act("hacking", "Abuse of functionality", integrity="Defacement"),
    "T1565": Act("malware", "Modify data", integrity="Modify data"),
}  # fmt: skip


def act_of(technique: str) -> Act | None:
    """Of a technique's own row, else of its parent's."""
    return ACTS.get(technique) or ACTS.get(technique.partition(".")[0])
