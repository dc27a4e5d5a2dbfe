"""Indicators of a MISP event: its attributes, and those of its objects."""

from collections.abc import Iterator
from typing import Any, Final

from ircase.exchange.model import highest_tlp, pap_rank
from ircase.exchange.reading.items import Finds, Said, moment, pap_of, tlp_of, words_of
from ircase.models import Indicator

Kind = Indicator.Kind
Thing = dict[str, Any]
MOST_ATTRIBUTES: Final = 50_000
UNDETECTED: Final = "its sender does not detect by it"
_TYPES: Final = {
    "md5": Kind.MD5, "sha1": Kind.SHA1, "sha256": Kind.SHA256, "ip-dst": Kind.IP, "ip-src": Kind.IP,
    "domain": Kind.DOMAIN, "hostname": Kind.DOMAIN, "url": Kind.URL, "uri": Kind.URL, "link": Kind.URL,
    "email": Kind.EMAIL, "email-src": Kind.EMAIL, "email-dst": Kind.EMAIL, "email-reply-to": Kind.EMAIL,
    "email-subject": Kind.EMAIL_SUBJECT, "filename": Kind.FILE_NAME, "regkey": Kind.REGISTRY, "mutex": Kind.MUTEX,
    "user-agent": Kind.USER_AGENT, "AS": Kind.ASN, "x509-fingerprint-sha1": Kind.CERTIFICATE,
    "x509-fingerprint-sha256": Kind.CERTIFICATE, "windows-service-name": Kind.SERVICE,
    "windows-scheduled-task": Kind.TASK,
}  # fmt: skip
# What an object's attribute is where its type alone does not say.
_RELATIONS: Final = {
    ("file", "fullpath"): Kind.FILE_PATH, ("process", "command-line"): Kind.PROCESS,
    ("command-line", "command_line"): Kind.PROCESS, ("user-account", "username"): Kind.ACCOUNT,
    ("mutex", "name"): Kind.MUTEX,
}  # fmt: skip
# Parts of an object that explain its other attributes.
_CONTEXT: Final = frozenset({"text", "port", "datetime", "size-in-bytes", "float", "counter", "boolean", "comment",
                             "mime-type", "target-machine", "target-user", "target-email"})  # fmt: skip


def events_of(document: Any) -> list[Any]:
    """The events of a document, in any of the forms that MISP gives them; none where it is no event."""
    if isinstance(document, dict) and isinstance(document.get("response"), list):
        document = document["response"]
    items = document if isinstance(document, list) else [document]
    found = [one.get("Event", one) for one in items[:1000] if isinstance(one, dict)]
    return [one for one in found if isinstance(one, dict) and ("Attribute" in one or "Object" in one)]


def read(events: list[Any]) -> Finds:
    finds = Finds()
    for event in events:
        if not finds.sender and isinstance(event.get("Orgc"), dict):
            finds.sender = words_of(event["Orgc"].get("name"))
        above = _tags(event)
        for place, (attribute, owner) in enumerate(_attributes(event)):
            if place >= MOST_ATTRIBUTES:
                finds.unknown[f"more than {MOST_ATTRIBUTES:,} attributes"] += 1
                break
            _attribute(attribute, owner, above, finds)
    return finds


def _attributes(event: Thing) -> Iterator[tuple[Thing, str]]:
    """Each attribute and the name of the object that it stands in."""
    for attribute in _listed(event.get("Attribute")):
        yield attribute, ""
    for thing in _listed(event.get("Object")):
        if thing.get("deleted") is not True:
            for attribute in _listed(thing.get("Attribute")):
                yield attribute, str(thing.get("name", ""))


def _listed(value: Any) -> list[Thing]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _attribute(attribute: Thing, owner: str, above: list[str], finds: Finds) -> None:
    kind, value = str(attribute.get("type")), attribute.get("value")
    if attribute.get("deleted") is True:
        finds.unknown["attributes that their sender took back"] += 1
        return
    found = list(_kinds(kind, value, owner, str(attribute.get("object_relation"))))
    if not found:
        if kind not in _CONTEXT:
            finds.unknown[f"attributes of the type {kind[:60]}"] += 1
        return
    said = Said(
        *_marked([*above, *_tags(attribute)]),
        words=words_of(attribute.get("comment")),
        first_seen=moment(attribute.get("first_seen")),
        last_seen=moment(attribute.get("last_seen")),
        note="" if attribute.get("to_ids") in (True, 1, "1") or owner else UNDETECTED,
    )
    for one, text in found:
        finds.add(one, text, said)


def _kinds(kind: str, value: Any, owner: str, relation: str) -> Iterator[tuple[str, Any]]:
    """The indicators that an attribute is; a composite type is several."""
    if (owner, relation) in _RELATIONS:
        yield _RELATIONS[owner, relation], value
    elif kind in _TYPES:
        yield _TYPES[kind], value
    elif "|" in kind and isinstance(value, str):
        names, texts = kind.split("|"), value.split("|")
        for name, text in zip(names, texts, strict=False):
            if name == "ip":
                yield Kind.IP, text
            elif name in _TYPES:
                yield _TYPES[name], text


def _tags(thing: Thing) -> list[str]:
    return [one["name"] for one in _listed(thing.get("Tag")) if isinstance(one.get("name"), str)]


def _marked(tags: list[str]) -> tuple[str, str]:
    tlps = [found for tag in tags if tag.lower().startswith("tlp:") and (found := tlp_of(tag))]
    paps = [found for tag in tags if tag.lower().startswith("pap:") and (found := pap_of(tag))]
    return highest_tlp(tlps) if tlps else "", max(paps, key=pap_rank) if paps else ""
