"""The incident in VERIS: who did what to which asset, how it was affected, when, and how it came to light.

Keys that the schema requires: https://github.com/vz-risk/veris/blob/master/verisc.json. What a case does not hold, is
"Unknown": motive, country, industry and loss are for people to add.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ircase.exchange.model import LeftOut, Product, SharedAsset, ShareData, SharedCase, SharedIndicator
from ircase.exchange.texts import plain, to_json
from ircase.exchange.veris.words import UNKNOWN, Act, act_of
from ircase.models import Asset, Classification, Determination

SCHEMA: Final = "1.3.7"
_CONFIRMED: Final = {
    Classification.TRUE_POSITIVE: "Confirmed",
    Classification.FALSE_POSITIVE: "False positive",
    Classification.EXPECTED: "False positive",
}
_ASSETS: Final = {
    Asset.Kind.ACCOUNT: "P - Unknown", Asset.Kind.MAILBOX: "S - Mail", Asset.Kind.APPLICATION: "S - Other",
    Asset.Kind.OTHER: "Other",
}  # fmt: skip
_AFFECTED: Final = (Asset.Compromise.SUSPECTED, Asset.Compromise.CONFIRMED, Asset.Compromise.RECOVERED)
_UNITS: Final = (("Days", 86_400), ("Hours", 3_600), ("Minutes", 60))
# What the determination says where no technique of that kind was seen.
_DETERMINED: Final = {
    Determination.MALWARE: Act("malware"), Determination.PHISHING: Act("social", "Phishing", outside=True),
    Determination.COMPROMISED_ACCOUNT: Act("hacking", "Use of stolen creds"),
    Determination.MALICIOUS_USER: Act("misuse"), Determination.UNWANTED_SOFTWARE: Act("misuse", "Unapproved software"),
}  # fmt: skip


def make(data: ShareData) -> Product:
    acts = _acts(data)
    affected = [one for one in data.assets if one.compromise in _AFFECTED]
    left = [
        LeftOut("technique", f"{one.technique} {one.name}", "VERIS has no one word for it")
        for one in data.techniques if act_of(one.technique) is None
    ]  # fmt: skip
    left += [
        LeftOut("asset", one.name, "VERIS counts what was compromised, or may have been")
        for one in data.assets if one.compromise not in _AFFECTED
    ]  # fmt: skip
    incident = _incident(data, acts, affected)
    counts = (("actions", len(acts)), ("assets", len(affected)), ("indicators", len(data.indicators)))
    return Product(to_json(incident), ".json", counts, tuple(left))


def _acts(data: ShareData) -> list[Act]:
    found = [act for one in data.techniques if (act := act_of(one.technique)) is not None]
    more = _DETERMINED.get(Determination(data.case.determination))
    if more is not None and more.kind not in {act.kind for act in found}:
        found.append(more)
    return list(dict.fromkeys(found))


def _incident(data: ShareData, acts: list[Act], affected: list[SharedAsset]) -> dict[str, Any]:
    case = data.case
    made: dict[str, Any] = {
        "schema_version": SCHEMA,
        "incident_id": str(case.uuid),
        "source_id": plain(data.sender)[:120] or UNKNOWN,
        "reference": plain(case.reference),
        "security_incident": _CONFIRMED.get(Classification(case.classification), "Suspected"),
        "summary": "\n\n".join(part for part in (plain(case.title), plain(case.summary)) if part),
        "victim": {"country": [UNKNOWN], "employee_count": UNKNOWN, "industry": "000"},
        "actor": _actor(case, acts),
        "action": _actions(acts),
        "asset": {"assets": _assets(affected)},
        "attribute": _attributes(acts),
        "timeline": _timeline(case),
        "discovery_method": {"internal": {"variety": ["Security alarm"]}} if case.alarmed else {"unknown": {}},
        "targeted": UNKNOWN,
        "impact": {"overall_rating": UNKNOWN},
        "ioc": [_ioc(one) for one in data.indicators],
        "plus": _plus(data),
    }
    return {name: value for name, value in made.items() if value not in ("", [])}


def _actor(case: SharedCase, acts: Iterable[Act]) -> dict[str, Any]:
    if case.determination == Determination.MALICIOUS_USER:
        return {"internal": {"motive": [UNKNOWN], "variety": [UNKNOWN]}}
    if case.determination == Determination.APT or any(act.outside for act in acts):
        return {"external": {"country": [UNKNOWN], "motive": [UNKNOWN], "variety": [UNKNOWN]}}
    return {"unknown": {}}


def _actions(acts: Iterable[Act]) -> dict[str, Any]:
    found: dict[str, dict[str, list[str]]] = {}
    for act in acts:
        kind = found.setdefault(act.kind, {"variety": [], "vector": []})
        kind["variety"].append(act.variety)
        kind["vector"].append(act.vector)
    for name, kind in found.items():
        kind.update({key: _known(values) for key, values in kind.items()})
        if name == "social":
            kind["target"] = [UNKNOWN]
    return found or {"unknown": {}}


def _known(values: Iterable[str]) -> list[str]:
    """Each once; that something is unknown is said only where nothing is known."""
    return sorted(set(values) - {UNKNOWN}) or [UNKNOWN]


def _assets(affected: Iterable[SharedAsset]) -> list[dict[str, Any]]:
    # A device may be a server or a laptop: the case does not say, so neither does this.
    counts = Counter(_ASSETS.get(Asset.Kind(one.kind), UNKNOWN) for one in affected)
    return [{"variety": name, "amount": many} for name, many in sorted(counts.items())] or [{"variety": UNKNOWN}]


def _attributes(acts: list[Act]) -> dict[str, Any]:
    seen = "Potentially" if any(act.seen for act in acts) else UNKNOWN
    found: dict[str, Any] = {"confidentiality": {"data_disclosure": seen}}
    if seen != UNKNOWN:
        found["confidentiality"]["data"] = [{"variety": UNKNOWN}]
    for name in ("integrity", "availability"):
        if varieties := sorted({getattr(act, name) for act in acts} - {""}):
            found[name] = {"variety": varieties}
    return found


def _timeline(case: SharedCase) -> dict[str, Any]:
    known = dict(case.milestones)
    began = (known.get("occurred") or known.get("detected") or case.opened_at).astimezone(UTC)
    return {
        "incident": {"year": began.year, "month": began.month, "day": began.day, "time": began.strftime("%H:%M:%S")},
        "compromise": {"unit": UNKNOWN},
        "exfiltration": {"unit": UNKNOWN},
        "discovery": _span(known.get("occurred"), known.get("detected")),
        "containment": _span(known.get("detected"), known.get("contained")),
    }


def _span(first: datetime | None, last: datetime | None) -> dict[str, Any]:
    """In the largest unit that it fills once; what is missing or runs backwards is unknown."""
    if first is None or last is None or last < first:
        return {"unit": UNKNOWN}
    seconds = (last - first) // timedelta(seconds=1)
    for unit, size in _UNITS:
        if seconds >= size:
            return {"unit": unit, "value": seconds // size}
    return {"unit": "Seconds", "value": seconds}


def _ioc(one: SharedIndicator) -> dict[str, str]:
    comment = ", ".join(part for part in (one.kind, one.verdict, f"TLP:{one.tlp.upper()}", plain(one.words)) if part)
    return {"indicator": plain(one.value), "comment": comment}


def _plus(data: ShareData) -> dict[str, Any]:
    """Outside the vocabulary: what it has no place for."""
    return {
        "tlp": data.highest_tlp,
        "severity": data.case.severity,
        "exercise": data.case.exercise,
        "attack_version": data.attack_version,
        "attack_techniques": [one.technique for one in data.techniques],
    }
