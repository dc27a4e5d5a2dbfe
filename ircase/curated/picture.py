"""The timeline at a glance: a lane each for attacker, defender, system and the rest, as SVG made on the server."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from django.http import QueryDict
from django.utils import timezone

from ircase.charts import Drawing, svg_text
from ircase.models import Event

LANES: Final = {"attacker": "series-4", "defender": "series-1", "system": "series-7", "other": "series-2"}
FILLS: Final = {"attacker": "#be185d", "defender": "#2563eb", "system": "#64748b", "other": "#b45309"}
STEPS: Final = 60
WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 900, 84, 20, 30, 8, 26


def draw(found: Sequence[tuple[datetime, str]], address: str, kept: QueryDict) -> Drawing | None:
    """A dot for each stretch of time that has events of a lane, the larger the more; it leads to them. `found` is
    (time, lane) in order of time; None where it shows nothing that the list does not."""
    if len(found) < 2 or found[0][0] == found[-1][0]:
        return None
    first, last = found[0][0], found[-1][0]
    # The last event lies inside the last stretch, not at its end.
    step = max((last - first) / STEPS, timedelta(seconds=1)) + timedelta(microseconds=1)
    counts = Counter((lane, int((at - first) / step)) for at, lane in found)
    used = [lane for lane in LANES if any(key[0] == lane for key in counts)]
    svg = _canvas(len(used), len(found), first, last)
    highest = max(counts.values())
    rows = []
    for place, lane in enumerate(used):
        _lane(svg, lane, TOP + place * ROW + ROW / 2)
    for (lane, stretch), count in sorted(counts.items(), key=lambda one: one[0][1]):
        since, until = first + stretch * step, first + (stretch + 1) * step
        words = f"{_words(since)}: {count} {Event.Lane(lane).label.lower()} event{'' if count == 1 else 's'}"
        radius = 4 + 8 * (count / highest) ** 0.5
        at = (LEFT + (stretch + 0.5) * (WIDTH - LEFT - RIGHT) / STEPS, TOP + used.index(lane) * ROW + ROW / 2)
        _dot(svg, lane, at, radius, words, _link(address, kept, lane, since, until))
        rows.append((_words(since), Event.Lane(lane).label, str(count)))
    return Drawing(svg_text(svg), ("From", "Who", "Events"), tuple(rows))


def _canvas(lanes: int, events: int, first: datetime, last: datetime) -> Element:
    height = TOP + lanes * ROW + BOTTOM
    label = f"{events} events from {_words(first)} to {_words(last)}"
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "group", "aria-label": label})
    words = {"fill": "#475569", "font-size": "12", "y": str(height - 6)}
    SubElement(svg, "text", {**words, "x": str(LEFT)}).text = _words(first)
    SubElement(svg, "text", {**words, "x": str(WIDTH - RIGHT), "text-anchor": "end"}).text = _words(last)
    return svg


def _lane(svg: Element, lane: str, y: float) -> None:
    words = {"fill": "#475569", "font-size": "12", "x": str(LEFT - 12), "text-anchor": "end", "y": f"{y + 4:.0f}"}
    SubElement(svg, "text", words).text = Event.Lane(lane).label
    ends = {"x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": f"{y:.0f}", "y2": f"{y:.0f}"}
    SubElement(svg, "line", {"class": "grid-line", "stroke": "#cbd5e1", **ends})


def _dot(svg: Element, lane: str, at: tuple[float, float], radius: float, words: str, link: str) -> None:
    parent = SubElement(svg, "a", {"href": link, "aria-label": words})
    place = {"cx": f"{at[0]:.1f}", "cy": f"{at[1]:.1f}", "r": f"{radius:.1f}"}
    mark = SubElement(parent, "circle", {"class": LANES[lane], "fill": FILLS[lane], **place})
    SubElement(mark, "title").text = words


def _words(at: datetime) -> str:
    return f"{timezone.localtime(at):%-d %b %Y, %H:%M}"


def _link(address: str, kept: QueryDict, lane: str, since: datetime, until: datetime) -> str:
    query = kept.copy()
    query["lane"], query["since"], query["until"] = lane, since.isoformat(), until.isoformat()
    return f"{address}?{query.urlencode()}"
