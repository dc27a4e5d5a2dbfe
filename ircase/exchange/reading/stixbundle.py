"""Indicators of a STIX 2.0 or 2.1 bundle, by their patterns; and what was merely observed, marked as such."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ircase.exchange.model import highest_tlp, pap_rank
from ircase.exchange.reading.items import Finds, Said, moment, pap_of, tlp_of, words_of
from ircase.exchange.reading.patterns import compared
from ircase.exchange.stix.markings import PAP_IDS, TLP1_IDS, TLP_IDS
from ircase.models import Indicator

Kind = Indicator.Kind
Thing = dict[str, Any]
OBSERVED: Final = "observed, not called an indicator by its sender"
# What holds other things together or speaks of them: passed over without a word.
_FRAME: Final = frozenset(
    {"marking-definition", "identity", "relationship", "grouping", "report", "observed-data", "sighting",
     "extension-definition", "directory", "bundle", "language-content"}
)  # fmt: skip
_HASHES: Final = {"md5": Kind.MD5, "sha1": Kind.SHA1, "sha256": Kind.SHA256}
_VALUES: Final = {
    "ipv4-addr": (Kind.IP, "value"), "ipv6-addr": (Kind.IP, "value"), "domain-name": (Kind.DOMAIN, "value"),
    "url": (Kind.URL, "value"), "email-addr": (Kind.EMAIL, "value"), "mutex": (Kind.MUTEX, "name"),
    "windows-registry-key": (Kind.REGISTRY, "key"), "process": (Kind.PROCESS, "command_line"),
    "user-account": (Kind.ACCOUNT, "account_login"), "email-message": (Kind.EMAIL_SUBJECT, "subject"),
}  # fmt: skip


def read(things: list[Any]) -> Finds:
    finds = Finds()
    marks = _markings(things)
    for thing in things:
        kind = thing.get("type") if isinstance(thing, dict) else None
        if not isinstance(kind, str):
            finds.unknown["a thing without a type"] += 1
        elif kind == "indicator":
            _indicator(thing, marks, finds)
        elif kind in _VALUES or kind in ("file", "x509-certificate", "autonomous-system"):
            for found, value in _observed(kind, thing):
                finds.add(found, value, Said(*_marked(thing, marks), note=OBSERVED))
        elif kind == "identity" and not finds.sender and thing.get("identity_class") == "organization":
            finds.sender = words_of(thing.get("name"))
        elif kind not in _FRAME:
            finds.unknown[f"objects of the type {kind[:60]}"] += 1
    return finds


def _indicator(thing: Thing, marks: Mapping[str, str], finds: Finds) -> None:
    if thing.get("revoked") is True:
        finds.unknown["indicators that their sender took back"] += 1
        return
    pattern, language = thing.get("pattern"), thing.get("pattern_type", "stix")
    if language != "stix" or not isinstance(pattern, str):
        finds.unknown[f"indicators with a pattern of {str(language)[:40]}"] += 1
        return
    found = compared(pattern)
    if not found.values:
        finds.unknown["indicators whose pattern names no value that is known here"] += 1
        return
    note = _note(thing, found.whole)
    for kind, value in found.values:
        said = Said(
            *_marked(thing, marks),
            words=_words(thing, value),
            first_seen=moment(thing.get("valid_from")),
            expires_at=moment(thing.get("valid_until")),
            note=note,
        )
        finds.add(kind, value, said)


def _words(thing: Thing, value: str) -> str:
    """What its sender says of it; a name that only repeats the value says nothing."""
    name = thing.get("name")
    return words_of("" if isinstance(name, str) and value in name else name, thing.get("description"))


def _note(thing: Thing, whole: bool) -> str:
    types = thing.get("indicator_types") or thing.get("labels")
    if isinstance(types, list) and "benign" in types:
        return "its sender calls it benign"
    return "" if whole else "its pattern asks for more than this value"


def _observed(kind: str, thing: Thing) -> Iterator[tuple[str, Any]]:
    if kind in _VALUES:
        found, name = _VALUES[kind]
        if name in thing:
            yield found, thing[name]
    elif kind == "autonomous-system":
        yield Kind.ASN, str(thing.get("number"))
    else:
        hashes = thing.get("hashes")
        for name, value in hashes.items() if isinstance(hashes, dict) else ():
            known = _HASHES.get(str(name).lower().replace("-", ""))
            if known:
                yield (Kind.CERTIFICATE if kind == "x509-certificate" else known), value
        if kind == "file" and "name" in thing:
            yield Kind.FILE_NAME, thing["name"]


def _markings(things: list[Any]) -> dict[str, str]:
    """What a marking's id stands for, `tlp:…` or `pap:…`: the published ones, and those of this bundle."""
    known = {identifier: f"tlp:{tlp}" for tlp, identifier in TLP_IDS.items()}
    known |= {identifier: f"tlp:{tlp}" for identifier, tlp in TLP1_IDS.items()}
    known |= {identifier: f"pap:{pap}" for pap, identifier in PAP_IDS.items()}
    for thing in things:
        if isinstance(thing, dict) and thing.get("type") == "marking-definition":
            definition = thing.get("definition")
            said = definition.get("tlp") if isinstance(definition, dict) else thing.get("name")
            if isinstance(said, str) and tlp_of(said):
                known.setdefault(str(thing.get("id")), f"tlp:{tlp_of(said)}")
    return known


def _marked(thing: Thing, marks: Mapping[str, str]) -> tuple[str, str]:
    """The most closed TLP and PAP of an object's markings."""
    named = thing.get("object_marking_refs")
    said = [marks[ref] for ref in named if isinstance(ref, str) and ref in marks] if isinstance(named, list) else []
    tlps = [found for one in said if one.startswith("tlp:") and (found := tlp_of(one))]
    paps = [found for one in said if one.startswith("pap:") and (found := pap_of(one))]
    return highest_tlp(tlps) if tlps else "", max(paps, key=pap_rank) if paps else ""
