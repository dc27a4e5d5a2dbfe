"""What a case can become: every format with its name, its maker and what it takes of the data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from ircase.exchange import defender, misp, navigator, stix, timeline, veris
from ircase.exchange.model import Product, ShareData
from ircase.models import CaseShare

Part = CaseShare.Part
_LIST: Final = (Part.INDICATORS.value, Part.EVENTS.value)
_MATRIX: Final = (Part.EVENTS.value, Part.WORDS.value)
_LINES: Final = (Part.INDICATORS.value, Part.UNJUDGED.value, Part.EVENTS.value, Part.ASSETS.value)


@dataclass(frozen=True)
class Format:
    """`part` is the end of the file's name, `words` says who reads it. `proves`: facts of exhibits are in it, so that
    custody hears of it. `parts` are those of a case that it has a place for; `hunted`: also for techniques that were
    hunted for without a find."""

    key: str
    label: str
    part: str
    words: str
    make: Callable[[ShareData, datetime], Product]
    proves: bool = True
    parts: tuple[str, ...] = tuple(Part.values)
    hunted: bool = False


def _timeless(make: Callable[[ShareData], Product]) -> Callable[[ShareData, datetime], Product]:
    """A maker for which it does not matter when it is asked."""
    return lambda data, now: make(data)


def _defender(action: str) -> Callable[[ShareData, datetime], Product]:
    make = partial(defender.make, action=action)
    return lambda data, now: make(data, now=now)


_ALL: Final = (
    Format("stix", "STIX 2.1 bundle", "stix", "OpenCTI, MISP, Sentinel, TAXII servers", _timeless(stix.make)),
    Format("misp", "MISP event", "misp", "MISP: Add event from, MISP JSON", _timeless(misp.make)),
    Format("defender-audit", "Defender CSV: audit", "defender_audit", "Defender: Settings, Indicators, Import",
           _defender("audit"), proves=False, parts=_LIST),
    Format("defender-warn", "Defender CSV: warn", "defender_warn", "Defender: Settings, Indicators, Import",
           _defender("warn"), proves=False, parts=_LIST),
    Format("defender-block", "Defender CSV: block", "defender_block", "Defender: Settings, Indicators, Import",
           _defender("block"), proves=False, parts=_LIST),
    Format("navigator", "ATT&CK Navigator layer", "attack", "ATT&CK Navigator, layer format 4.5",
           _timeless(navigator.make), proves=False, parts=_MATRIX, hunted=True),
    Format("timesketch-jsonl", "Timesketch JSONL", "timeline", "Timesketch: the curated timeline",
           _timeless(timeline.make_jsonl), parts=_LINES),
    Format("timesketch-csv", "Timesketch CSV", "timeline", "Timesketch: the curated timeline",
           _timeless(timeline.make_csv), parts=_LINES),
    Format("veris", "VERIS incident", "veris", "VERIS Community Database, comparisons between organisations",
           _timeless(veris.make)),
)  # fmt: skip
FORMATS: Final[Mapping[str, Format]] = {one.key: one for one in _ALL}
