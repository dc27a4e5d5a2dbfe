"""What a value is, guessed from its name, from the column it is compared with, and from itself.

Names, types and fills are those of docs/adding-a-hunt.md.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from hunting.values import Kind, ParameterError, parse


@dataclass(frozen=True)
class Guess:
    """`name` is what the library calls such a parameter."""

    name: str
    kind: str
    fill: str = ""


TEXT: Final = Guess("", "string")
_DEVICE: Final = Guess("TargetDevice", "device_name", "asset.device.name")
_DEVICE_ID: Final = Guess("TargetDeviceId", "device_id", "asset.device.identifier")
_ACCOUNT: Final = Guess("TargetAccount", "upn", "asset.account.name")
_ACCOUNT_NAME: Final = Guess("TargetAccountName", "string")
_ACCOUNT_ID: Final = Guess("TargetAccountId", "string", "asset.account.identifier")

_ROLE: Final = (
    r"(remote|local|source|src|destination|dest|dst|client|public|attacker|malicious|suspicious|bad|c2|sender|target"
    r"|request|phishing|ioc|from|caller|the|my)*"
)
_BY_NAME: Final[tuple[tuple[str, Guess], ...]] = (
    (r"timeframe|timerange|timespan|(max|query)?look(back|behind)\w*|searchwindow|\w*timewindow|searchperiod|period"
     r"|duration|daysback|(num|number|amount)?(of)?(days|hours)|window", Guess("SearchWindow", "timespan")),
    (r"(start|begin|from)(time|date|datetime|timestamp)?|(time|date)from", Guess("StartTime", "datetime")),
    (r"(end|stop|until|to)(time|date|datetime|timestamp)?|(time|date)to", Guess("EndTime", "datetime")),
    (r"\w*(device|machine|computer|host|endpoint)s?ids?", _DEVICE_ID),
    (r"\w*(devicename|hostname|computername|machinename|servername|device|machine|computer|workstation|laptop|host"
     r"|endpoint|server|dvc|fqdn)s?", _DEVICE),
    (r"\w*(userprincipalname|upn|e?mail(address)?|emailrecipient|sender((mail)?from(address)?)?|recipient"
     r"|mailbox)s?", _ACCOUNT),
    (r"\w*(account|user)?(objectid|entraid|aadid|azureadid)s?|\w*(account|user)ids?", _ACCOUNT_ID),
    (r"(account|user|target|initiatingprocessaccount|security)*sids?", Guess("TargetSid", "sid")),
    (r"\w*sha_?256(hash|value)?(es|s)?", Guess("Sha256Value", "sha256", "indicator.sha256")),
    (r"\w*sha_?1(hash|value)?(es|s)?", Guess("Sha1Value", "sha1", "indicator.sha1")),
    (r"\w*md5(hash|value)?(es|s)?", Guess("Md5Value", "md5", "indicator.md5")),
    (r"\w*hash(es)?", Guess("Sha256Value", "sha256", "indicator.sha256")),
    (rf"{_ROLE}ip(s|v4|v6)?(address(es)?|addrs?|s)?", Guess("RemoteAddress", "ip", "indicator.ip")),
    (rf"{_ROLE}ur[li]s?", Guess("TargetUrl", "url", "indicator.url")),
    (rf"{_ROLE}domain(name)?s?", Guess("TargetDomain", "domain", "indicator.domain")),
    (r"\w*file_?names?", Guess("TargetFileName", "string", "indicator.file_name")),
    (r"\w*(user|account|username|accountname|samaccountname|userid|identity|victim)s?", _ACCOUNT_NAME),
)  # fmt: skip
_NOISE: Final = re.compile(
    r"^(please|insert|enter|your|the|a|an|change|replace|with|put|add|specify|of|target|name|here|this|to|value|id|my"
    r"|compromised|suspicious|affected|investigated|malicious)$"
)
# Who names a value so means it, also beside a column that holds names of another kind.
_SAYS_UPN: Final = re.compile(r"\w*(userprincipalname|upn)s?")
_PLACEHOLDER_WORDS: Final = frozenset(
    {"insert", "enter", "your", "change", "replace", "placeholder", "specify", "here", "fill", "put", "todo", "value"}
)


def guess(name: str, column: str = "") -> Guess:
    """What a value of this name is. The column that it is compared with decides where its type says more."""
    by_column = _lookup(_flat(column)) if column else TEXT
    by_name = _by_name(name)
    if by_column is TEXT or (by_name.kind == by_column.kind):
        return by_name
    if by_name is _ACCOUNT and by_column in (_ACCOUNT_NAME, _ACCOUNT_ID) and _SAYS_UPN.fullmatch(_flat(name)):
        return by_name
    return by_name if by_name.kind in ("timespan", "datetime") else by_column


def known(name: str) -> bool:
    """Whether a text in braces or angle brackets names something that people fill in."""
    words = re.findall(r"[a-z0-9]+", _split(name))
    return _by_name(name) is not TEXT or bool(_PLACEHOLDER_WORDS & set(words))


def _by_name(name: str) -> Guess:
    found = _lookup(_flat(name))
    if found is not TEXT:
        return found
    words = [word for word in re.findall(r"[a-z0-9]+", _split(name)) if not _NOISE.match(word)]
    found = _lookup("".join(words))
    return found if found is not TEXT or len(words) < 2 else _lookup(words[-1])


def _lookup(flat: str) -> Guess:
    for pattern, found in _BY_NAME:
        if flat and len(flat) <= 60 and re.fullmatch(pattern, flat):
            return found
    return TEXT


def _split(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name[:120]).lower()


def _flat(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:120].lower())


def fits(kind: Kind, value: Any) -> bool:
    """Whether the value reads as this type and stays itself, so that a default asks what the text asked."""
    if isinstance(value, str) and value != value.strip():
        return False
    try:
        read = parse(kind, value)
    except ParameterError:
        return False
    if isinstance(value, list):
        return [str(v).casefold() for v in read] == [str(v).casefold() for v in value] and _stripped(value)
    return bool(read) and (kind.name != "string" or read == value)


def _stripped(values: list[Any]) -> bool:
    return all(not isinstance(value, str) or value == value.strip() for value in values)


def camel(name: str) -> str:
    """A name as the library writes it: `lookback_days` is LookbackDays."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words).lstrip("0123456789")
    return (joined[:1].upper() + joined[1:60]) if len(joined) > 1 else f"Value{joined.upper()}"


def plural(name: str) -> str:
    """A parameter's name where it is a list."""
    return f"{name}es" if name.endswith(("s", "h")) else f"{name}s"
