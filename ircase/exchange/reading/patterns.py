"""The comparisons of a STIX pattern that name a value: `[file:name = 'a.exe' AND …]`. Read, never evaluated."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ircase.models import Indicator

Kind = Indicator.Kind
LONGEST: Final = 10_000
_STRING: Final = r"'(?:[^'\\]|\\.)*'"
_ITEM: Final = rf"(?:{_STRING}|[0-9]+)"
# A type begins where no word goes on, and items are set apart by a comma: so no text keeps this busy.
_COMPARISON: Final = re.compile(
    rf"(?s)(?<![a-z0-9-])([a-z0-9-]{{1,60}}:(?:[A-Za-z0-9_.\[\]*-]|{_STRING}){{1,200}}?)\s*"
    rf"(=|==|!=|<>|<=|>=|<|>|NOT\s+[A-Z]+|IN|LIKE|MATCHES|ISSUBSET|ISSUPERSET|EXISTS)\s*"
    rf"({_STRING}|-?[0-9]+(?:\.[0-9]+)?|\(\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*\))"
)
_VALUE: Final = re.compile(rf"(?s){_STRING}|[0-9]+")
_JOINTS: Final = re.compile(r"[\[\]()\s]|\bAND\b|\bOR\b|\bFOLLOWEDBY\b")
_PATHS: Final = {
    "ipv4-addr:value": Kind.IP, "ipv6-addr:value": Kind.IP, "domain-name:value": Kind.DOMAIN, "url:value": Kind.URL,
    "email-addr:value": Kind.EMAIL, "email-message:subject": Kind.EMAIL_SUBJECT,
    "email-message:from_ref.value": Kind.EMAIL, "email-message:sender_ref.value": Kind.EMAIL,
    "network-traffic:dst_ref.value": Kind.IP, "network-traffic:src_ref.value": Kind.IP, "file:name": Kind.FILE_NAME,
    "file:hashes.md5": Kind.MD5, "file:hashes.sha1": Kind.SHA1, "file:hashes.sha256": Kind.SHA256,
    "windows-registry-key:key": Kind.REGISTRY, "process:command_line": Kind.PROCESS, "mutex:name": Kind.MUTEX,
    "x509-certificate:hashes.sha1": Kind.CERTIFICATE, "x509-certificate:hashes.sha256": Kind.CERTIFICATE,
    "autonomous-system:number": Kind.ASN, "user-account:account_login": Kind.ACCOUNT,
    "user-account:user_id": Kind.ACCOUNT, "process:extensions.windows-service-ext.service_name": Kind.SERVICE,
    "network-traffic:extensions.http-request-ext.request_header.user-agent": Kind.USER_AGENT,
    "directory:path": Kind.FILE_PATH,
}  # fmt: skip
_EQUAL: Final = ("=", "==", "IN")
_FOLDER: Final = "file:parent_directory_ref.path"


@dataclass(frozen=True)
class Compared:
    """The values of a pattern, each with its kind; `whole`: nothing but these stands in it."""

    values: tuple[tuple[str, str], ...]
    whole: bool


def compared(pattern: str) -> Compared:
    """What equals a value in the pattern. Nothing for one that is too long."""
    if len(pattern) > LONGEST:
        return Compared((), whole=False)
    found = list(_COMPARISON.finditer(pattern))
    rest = _JOINTS.sub("", _COMPARISON.sub("", pattern))
    equal = [match for match in found if match[2] in _EQUAL]
    pairs = [(_path(match[1]), value) for match in equal for value in _values(match[3])]
    kinds = list(_kinds(pairs))
    understood = len(equal) == len(found) and len(kinds) >= len(pairs) - _folders(pairs)
    return Compared(tuple(kinds), whole=not rest and understood)


def _folders(pairs: list[tuple[str, str]]) -> int:
    return sum(path == _FOLDER for path, _ in pairs)


def _path(path: str) -> str:
    """`file:hashes.'SHA-256'` and `file:hashes.SHA256` alike."""
    bare = re.sub(r"\[\*?[0-9]*\]", "", path.replace("'", "")).lower()
    return re.sub(r"hashes\.sha-", "hashes.sha", bare)


def _values(text: str) -> Iterator[str]:
    for match in _VALUE.finditer(text):
        value = match.group()
        yield re.sub(r"(?s)\\(.)", r"\1", value[1:-1]) if value.startswith("'") else value


def _kinds(pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A name and its folder are one path."""
    names = [value for path, value in pairs if path == "file:name"]
    folders = [value for path, value in pairs if path == _FOLDER]
    if len(names) == len(folders) == 1:
        slash = "/" if folders[0].startswith("/") else "\\"
        yield Kind.FILE_PATH, f"{folders[0].rstrip(slash)}{slash}{names[0]}"
        pairs = [pair for pair in pairs if pair[0] not in ("file:name", _FOLDER)]
    for path, value in pairs:
        if path in _PATHS:
            yield _PATHS[path], value
