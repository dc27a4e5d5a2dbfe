"""Techniques of a case as a layer of the ATT&CK Navigator.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

import re
from collections import defaultdict
from typing import Any, Final

from ircase.exchange.model import Product, ShareData, SharedEvent, SharedHunted
from ircase.exchange.texts import plain, to_json

LAYER: Final = "4.5"
NAVIGATOR: Final = "5.1.0"
MOST_WORDS: Final = 5
HUNTED: Final = "#93c5fd"
"""A colour of an entry's own: it overrides what the gradient makes of the score."""
_ATTACK: Final = re.compile(r"v(\d+)(\.\d+)?")


def make(data: ShareData) -> Product:
    """The score of a technique counts the events that show it; its comment names the first of them. One that was hunted
    for without a find has a colour of its own and the score 0."""
    events: dict[tuple[str, str], list[SharedEvent]] = defaultdict(list)
    for event in data.events:
        for use in dict.fromkeys(event.uses):
            events[use].append(event)
    entries = [_entry(technique, tactic, found) for (technique, tactic), found in sorted(events.items())]
    shown = {entry["techniqueID"] for entry in entries}
    hunted = [_hunted(one) for one in data.hunted if one.technique not in shown]
    entries += hunted
    there = shown | {entry["techniqueID"] for entry in hunted}
    parents = sorted({number.split(".")[0] for number in there if "." in number} - there)
    entries += [{"techniqueID": number, "enabled": True, "showSubtechniques": True} for number in parents]
    counts = [("techniques", len(shown)), ("events", len({one.uuid for found in events.values() for one in found}))]
    counts += [("hunted without a find", len(hunted))] if hunted else []
    return Product(to_json(_layer(data, entries, hunted=bool(hunted))), ".json", tuple(counts))


def _hunted(one: SharedHunted) -> dict[str, Any]:
    times = "once" if one.hunts == 1 else f"{one.hunts} times"
    return {
        "techniqueID": one.technique,
        "score": 0,
        "color": HUNTED,
        "comment": f"Hunted for {times}, without a find",
        "enabled": True,
        "showSubtechniques": "." not in one.technique,
    }


def _layer(data: ShareData, entries: list[dict[str, Any]], *, hunted: bool) -> dict[str, Any]:
    case = data.case
    versions = {"layer": LAYER, "navigator": NAVIGATOR}
    if found := _ATTACK.fullmatch(data.attack_version):
        versions["attack"] = found[1]
    highest = max((entry.get("score", 0) for entry in entries), default=0)
    legend = [{"label": "seen in events, the more the redder", "color": "#dc2626"}]
    legend += [{"label": "hunted for, without a find", "color": HUNTED}] if hunted else []
    said = f"Techniques of {plain(case.reference)}, TLP:{data.highest_tlp.upper()}. Scores count events."
    return {
        "name": plain(case.name)[:200],
        "versions": versions,
        "domain": "enterprise-attack",
        "description": f"{said} Blue: hunted for, without a find." if hunted else said,
        "sorting": 3,
        "hideDisabled": False,
        "techniques": entries,
        "gradient": {"colors": ["#fef3c7", "#dc2626"], "minValue": 0, "maxValue": max(highest, 1)},
        "legendItems": legend,
        "metadata": [
            {"name": "TLP", "value": data.highest_tlp.upper()},
            {"name": "ATT&CK data", "value": data.attack_version or "not said"},
        ],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }


def _entry(technique: str, tactic: str, events: list[SharedEvent]) -> dict[str, Any]:
    first = [plain(event.title) for event in events[:MOST_WORDS]]
    more = [f"and {len(events) - MOST_WORDS} more"] if len(events) > MOST_WORDS else []
    entry: dict[str, Any] = {
        "techniqueID": technique,
        "score": len(events),
        "comment": "\n".join([*first, *more]),
        "enabled": True,
        "showSubtechniques": "." not in technique,
    }
    return entry | ({"tactic": tactic.lower().replace(" ", "-")} if tactic else {})
