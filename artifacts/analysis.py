"""What Defender's file analysis says: the JSON of Live Response's `analyze` and of deep analysis, whatever its shape.

Microsoft publishes no schema, so every key is optional, unknown ones are kept, and only a text that holds no such JSON
at all is refused. https://learn.microsoft.com/defender-endpoint/live-response-command-examples#analyze
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from artifacts.limits import ArtifactError

Kind = Literal["network", "file", "registry", "process", "hash", "url", "domain", "other"]

MOST_BYTES: Final = 20 * 2**20
MOST_ENTITIES: Final = 10_000
MOST_SCANS: Final = 200
MOST_REST: Final = 500
_LONGEST: Final = 4_096
_DEPTH: Final = 8
_STARTS: Final = 200
"""How many places of the text are tried as the beginning of the JSON: prompts and tables hold brackets too."""

_KNOWN: Final = ("behavior", "reports", "scan_status", "threat_type", "has_file")
_KINDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("registry", re.compile("regist|regkey")),
    ("process", re.compile("process|command")),
    ("hash", re.compile("sha1|sha256|md5|hash")),
    ("url", re.compile("ur[il]s?$|ur[il]")),
    ("domain", re.compile("dns|domain|host")),
    ("network", re.compile("network|tcp|udp|ips?$|address")),
    ("file", re.compile("file|director|folder|dropped")),
)
_VALUES: Final = (
    "ip", "ipaddress", "address", "remoteip", "path", "filepath", "fullpath", "commandline", "url", "uri", "domain",
    "host", "key", "registrykey", "sha256", "sha1", "filename", "name", "value",
)  # fmt: skip
_ADDRESS: Final = re.compile(r"\A(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})\Z")


class NotAnAnalysis(ArtifactError):
    """The text holds no analysis."""

    code = "analysis.none"


@dataclass(frozen=True)
class Scan:
    """What one engine said. `at` is the time as it was written, `report` its text or JSON."""

    status: str
    source: str
    at: str
    report: str = ""


@dataclass(frozen=True)
class Entity:
    """A thing the file touched. `section` is where it stood, in words; `note` what stood beside it."""

    section: str
    kind: Kind
    value: str
    note: str = ""


@dataclass(frozen=True)
class Analysis:
    """`facts` are single values by their name, `rest` what has a shape nobody knows, by its path as JSON text.

    `cut`: entities beyond the cap. `notes`: how the text had to be read.
    """

    scan_status: str = ""
    threat_type: str = ""
    has_file: bool | None = None
    scans: tuple[Scan, ...] = ()
    entities: tuple[Entity, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    rest: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def looks_like(text: str) -> bool:
    """Whether the beginning of a text has the words of an analysis: a cheap test before `read`."""
    head = text[:65_536]
    return sum(f'"{name}"' in head for name in _KNOWN) >= 2


def read(text: str) -> Analysis:
    """The analysis in a text, with whatever console output stands around it. Raises NotAnAnalysis."""
    if len(text) > MOST_BYTES:
        raise NotAnAnalysis(f"The text is longer than {MOST_BYTES // 2**20} MB, which no file analysis is.")
    text = text.lstrip("\ufeff").replace("\x00", "")
    document, notes = _decoded(text)
    if document is None:
        raise NotAnAnalysis(
            "No file analysis was found: it is JSON with keys such as behavior, reports and scan_status. In the Live"
            " Response console, run “analyze file <path> -output json”."
        )
    reader = _Reader()
    reader.document(document)
    return reader.result(notes)


def _decoded(text: str) -> tuple[Any, list[str]]:
    """The first JSON in the text that is an analysis; None where there is none."""
    found = _first(text)
    if found is not None:
        return found, []
    # Tools that print paths into JSON by hand forget to double the backslashes: "c:\users\…" is then no JSON.
    found = _first(re.sub(r'\\(?!")', r"\\\\", text)) if "\\" in text else None
    return found, ["The backslashes of its paths were not escaped as JSON wants; they are read as they stand."]


def _first(text: str) -> Any:
    decoder = json.JSONDecoder(strict=False, parse_constant=str)
    at = -1
    for _ in range(_STARTS):
        places = [place for place in (text.find("{", at + 1), text.find("[", at + 1)) if place >= 0]
        if not places:
            return None
        at = min(places)
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if _is_analysis(value):
            return value
        at = end - 1
    return None


def _is_analysis(value: Any) -> bool:
    names = {name for node in _nodes(value) for name in node if name in _KNOWN}
    return "behavior" in names or len(names) >= 2


def _nodes(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects in which the known keys may stand: never inside what a known key holds."""
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        yield value
        inner: Sequence[Any] = [item for name, item in value.items() if name not in _KNOWN]
    else:
        inner = value if isinstance(value, list) else []
    for item in inner[:1_000]:
        if isinstance(item, Mapping | list):
            yield from _nodes(item, depth + 1)


class _Reader:
    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.scans: list[Scan] = []
        self.entities: dict[Entity, None] = {}
        self.facts: dict[str, str] = {}
        self.rest: dict[str, str] = {}
        self.cut = 0

    def document(self, document: Any) -> None:
        for node in _nodes(document):
            for name, value in node.items():
                self._key(str(name), value)

    def _key(self, name: str, value: Any) -> None:
        if name == "reports":
            self._reports(value)
        elif name == "behavior":
            self._behavior(value)
        elif name in _KNOWN:
            if value is not None:
                self.known.setdefault(name, value)
        elif isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, Mapping) for v in value)):
            if not any(key in _KNOWN for node in _nodes(value) for key in node):
                self._unknown(name, value)
        elif isinstance(value, list):
            self._unknown(name, value)
        elif value is not None:
            self._fact(name, value)

    def _fact(self, name: str, value: Any) -> None:
        if len(self.facts) < MOST_REST:
            self.facts.setdefault(_short(name, 120), _short(_plain(value)))

    def _unknown(self, name: str, value: Any) -> None:
        if len(self.rest) < MOST_REST and value:
            self.rest.setdefault(_short(name, 120), _short(_dump(value), 20_000))

    def _reports(self, value: Any) -> None:
        items = value if isinstance(value, list) else [value]
        for item in items:
            if len(self.scans) >= MOST_SCANS:
                self._unknown("reports", items[MOST_SCANS:])
                return
            if isinstance(item, Mapping):
                self.scans.append(_scan(item))
            elif item is not None:
                self.scans.append(Scan("", "", "", _short(_plain(item))))

    def _behavior(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            if value is not None:
                self._unknown("behavior", value)
            return
        for name, item in value.items():
            self._section(str(name), item, words(str(name)), _kind_of(str(name)), 0)

    def _section(self, name: str, value: Any, title: str, kind: Kind, depth: int) -> None:
        """Whatever stands under a key of the behaviour, as entities. A key below narrows the kind or names the act."""
        if value is None or value in ("", [], {}):
            return
        if depth > _DEPTH:
            self._unknown(title, value)
        elif isinstance(value, list):
            for item in value:
                self._item(item, name, title, kind, depth)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                narrower = _kind_of(str(key))
                below = f"{title}: {words(str(key)).lower()}"
                self._section(str(key), item, below, kind if narrower == "other" else narrower, depth + 1)
        else:
            self._item(value, name, title, kind, depth)

    def _item(self, item: Any, name: str, title: str, kind: Kind, depth: int) -> None:
        if isinstance(item, list):
            self._section(name, item, title, kind, depth + 1)
        elif isinstance(item, Mapping):
            self._object(item, title, kind)
        elif item is not None and item != "":
            self._add(title, kind, _plain(item), "")

    def _object(self, item: Mapping[str, Any], title: str, kind: Kind) -> None:
        folded = {str(key).lower().replace("_", ""): value for key, value in item.items()}
        chosen = next((key for key in _VALUES if isinstance(folded.get(key), str | int) and folded[key] != ""), None)
        if chosen is None:
            self._unknown(title, item)
            return
        others = {key: value for key, value in item.items() if str(key).lower().replace("_", "") != chosen}
        note = ", ".join(f"{key} {_plain(value)}" for key, value in others.items() if value not in (None, "", [], {}))
        narrower = _kind_of(chosen)
        # A process's path, a registry key's value: what it is of says more than which of its parts is shown.
        self._add(title, narrower if kind in ("other", "network") and narrower != "other" else kind,
                  _plain(folded[chosen]), note)  # fmt: skip

    def _add(self, title: str, kind: Kind, value: str, note: str) -> None:
        value = value.strip()
        if not value:
            return
        if kind in ("network", "domain"):
            kind, value, port = _network(value, kind)
            note = ", ".join(part for part in (f"port {port}" if port else "", note) if part)
        entity = Entity(_short(title, 120), kind, _short(value), _short(note, 500))
        if entity in self.entities:
            return
        if len(self.entities) >= MOST_ENTITIES:
            self.cut += 1
        else:
            self.entities[entity] = None

    def result(self, notes: list[str]) -> Analysis:
        has_file = self.known.get("has_file")
        return Analysis(
            scan_status=_short(_plain(self.known.get("scan_status")), 200),
            threat_type=_short(_plain(self.known.get("threat_type")), 200),
            has_file=has_file if isinstance(has_file, bool) else None,
            scans=tuple(self.scans),
            entities=tuple(self.entities),
            facts=self.facts,
            rest=self.rest,
            cut=self.cut,
            notes=tuple(notes),
        )


def words(name: str) -> str:
    """A key as people read it: `networkTcpIps` is “Network tcp ips”."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", name).strip().lower()
    return _short(spaced[:1].upper() + spaced[1:], 80) or "Unnamed"


def _kind_of(name: str) -> Kind:
    folded = name.lower().replace("_", "")
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), "other")


def _network(value: str, kind: Kind) -> tuple[Kind, str, str]:
    """An address without its port; a name is a domain."""
    match = _ADDRESS.match(value)
    address, port = ((match[1] or match[2]), match[3]) if match else (value, "")
    try:
        return "network", str(ipaddress.ip_address(address)), port
    except ValueError:
        pass
    if "://" in value:
        return "url", value, ""
    host, _, tail = value.rpartition(":")
    if host and ":" not in host and tail.isdecimal():
        return "domain", host, tail
    return ("domain" if "." in value and kind == "domain" else kind), value, ""


def _scan(item: Mapping[str, Any]) -> Scan:
    known = {"status", "source", "scan_time", "report"}
    report = item.get("report")
    others = {str(key): value for key, value in item.items() if key not in known and value not in (None, "", [], {})}
    text = "" if report in (None, "", [], {}) else _plain(report)
    return Scan(
        status=_short(_plain(item.get("status")), 200),
        source=_short(_plain(item.get("source")), 200),
        at=_short(_plain(item.get("scan_time")), 60),
        report=_short("\n".join(part for part in (text, _dump(others) if others else "") if part), 20_000),
    )


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _clean(value) if isinstance(value, str) else _clean(_dump(value))


def _dump(value: Any) -> str:
    try:
        return _clean(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return "[nested too deep to show]"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
