"""Charts of a query's result, as its `render` asks for them: SVG made on the server, with the figures as a table.

https://learn.microsoft.com/en-us/kusto/query/render-operator
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement

from ircase.charts import WIDTH, Drawing, figure, svg_text

Kind = Literal["line", "area", "column", "bar", "scatter", "pie"]
MOST_SERIES: Final = 8
"""Colours that can be told apart; what is beyond is said, not drawn."""
MOST_SLICES: Final = 12
MOST_BARS: Final = 60
_LINES: Final = 4
_LEFT, _TOP, _BOTTOM, _RIGHT, _HEIGHT = 66, 12, 30, 16, 300
_COLOURS: Final = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#be185d", "#0e7490", "#64748b", "#a16207")
_WORDS: Final = {"fill": "#475569", "font-size": "12"}

Place = float | datetime | str


@dataclass(frozen=True)
class Series:
    """Points in order: where they stand (moments, numbers or words, the same for all series) and their values."""

    name: str
    points: tuple[tuple[Place, float], ...]


@dataclass(frozen=True)
class Plot:
    """A drawing with the names of its series and their classes; `notes` say what was left out and why."""

    drawing: Drawing
    legend: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...] = ()


def plot(kind: Kind, title: str, series: Sequence[Series], axis: str, *, stacked: bool = False) -> Plot:
    """Draw the series; `axis` is the name of what they stand on. Moments and numbers stand where they are, words side
    by side. The table holds every figure, the ones that are not drawn included."""
    drawn = [one for one in series[:MOST_SERIES] if one.points]
    notes = [f"{len(series) - MOST_SERIES} more series are in the table alone."] if len(series) > MOST_SERIES else []
    if kind == "pie":
        return _pie(title, drawn, axis, series)
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {_HEIGHT}", "role": "img", "aria-label": title})
    SubElement(svg, "title").text = title
    places = _places(drawn)
    if kind in ("column", "bar") or (places and isinstance(places[0], str)):
        if len(places) > MOST_BARS:
            notes.append(f"The first {MOST_BARS} of {len(places)} are drawn; the table has all.")
            places = places[:MOST_BARS]
        shape: Kind = kind if kind in ("column", "bar") else "column"
        (_rows if shape == "bar" else _columns)(svg, drawn, places, stacked)
    else:
        _curves(svg, kind, drawn, places, stacked and kind == "area")
    legend = tuple({"label": one.name, "class": f"series-{at}"} for at, one in enumerate(drawn, 1))
    return Plot(Drawing(svg_text(svg), *_table(axis, series)), legend if len(drawn) > 1 else (), tuple(notes))


def _places(series: Sequence[Series]) -> list[Place]:
    """Every place once: words in the order of the rows, the rest in its own."""
    found = list(dict.fromkeys(place for one in series for place, _ in one.points))
    return found if any(isinstance(place, str) for place in found) else sorted(found)


def _table(axis: str, series: Sequence[Series]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A line for each place; where a series has a place twice, a line for each point."""
    values = [dict(one.points) for one in series]
    if any(len(value) < len(one.points) for value, one in zip(values, series, strict=True)):
        points = ((_label(place), one.name, figure(value)) for one in series for place, value in one.points)
        return (axis, "Series", "Value"), tuple(points)
    rows = ((_label(p), *(figure(v[p]) if p in v else "–" for v in values)) for p in _places(series))
    return (axis, *(one.name for one in series)), tuple(rows)


def _label(place: Place) -> str:
    if isinstance(place, datetime):
        return place.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00").removesuffix(" 00:00")
    return place if isinstance(place, str) else figure(place)


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _number(place: Place) -> float:
    return place.timestamp() if isinstance(place, datetime) else float(place)


@dataclass(frozen=True)
class _Scale:
    """Values from `low` to `high` on the length from `start` to `end`; zero is always on it."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / ((self.high - self.low) or 1)

    @property
    def step(self) -> float:
        """Between two lines of the grid: 1, 2, 25 or 5 and zeros, so that people can read between them."""
        rough = (self.high - self.low) / _LINES
        power = 10.0 ** math.floor(math.log10(rough))
        return next(
            factor * power for factor in (1, 2, 2.5 if power > 1 else 5, 5, 10) if factor * power >= rough * 0.999
        )


def _value_scale(values: Sequence[float], start: float, end: float) -> _Scale:
    """From a line of the grid to a line of the grid, zero among them."""
    low, high = min([0.0, *values]), max([0.0, *values])
    rough = _Scale(low, high if high > low else low + 1, start, end)
    step = rough.step
    return _Scale(math.floor(low / step) * step, math.ceil(rough.high / step) * step, start, end)


def _totals(series: Sequence[Series], stacked: bool) -> list[float]:
    if not stacked:
        return [value for one in series for _, value in one.points]
    sums: dict[Place, float] = {}
    for one in series:
        for place, value in one.points:
            sums[place] = sums.get(place, 0) + max(value, 0)
    return list(sums.values())


def _line(svg: Element, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    SubElement(svg, "line", {"class": "grid-line", "stroke": "#cbd5e1", **ends})


def _say(svg: Element, x: float, y: float, text: str, anchor: str = "middle") -> None:
    SubElement(svg, "text", {**_WORDS, "x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = text


def _value_axis(svg: Element, scale: _Scale) -> None:
    step = scale.step
    for number in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + number * step
        _line(svg, _LEFT, scale(value), WIDTH - _RIGHT, scale(value))
        _say(svg, _LEFT - 6, scale(value) + 4, figure(value), "end")


def _mark(parent: Element, tag: str, at: int, words: str, **attributes: str) -> None:
    fill = {"class": f"series-{at}", "fill": _COLOURS[(at - 1) % len(_COLOURS)]}
    SubElement(SubElement(parent, tag, {**fill, **attributes}), "title").text = words


def _curves(svg: Element, kind: Kind, series: Sequence[Series], places: Sequence[Place], stacked: bool) -> None:
    """Lines, areas or dots over moments or numbers."""
    values = _value_scale(_totals(series, stacked), _HEIGHT - _BOTTOM, _TOP)
    _value_axis(svg, values)
    if not places:
        return
    numbers = [_number(place) for place in places]
    across = _Scale(
        min(numbers), max(numbers) if max(numbers) > min(numbers) else min(numbers) + 1, _LEFT, WIDTH - _RIGHT
    )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        nearest = min(places, key=lambda p: abs(_number(p) - (across.low + (across.high - across.low) * share)))
        _say(svg, _LEFT + (WIDTH - _LEFT - _RIGHT) * share, _HEIGHT - 8, _short(_label(nearest), 24), anchor)
    below = dict.fromkeys(places, 0.0)
    for at, one in enumerate(series, 1):
        own = points = sorted(one.points, key=lambda point: _number(point[0]))
        base = dict(below)
        if stacked:
            below |= {place: base[place] + value for place, value in points}
            points = [(place, below[place]) for place, _ in points]
        spots = [(across(_number(place)), values(value)) for place, value in points]
        _curve(svg, kind, at, spots, [values(base[place]) for place, _ in points])
        if kind == "scatter" or len(points) <= 200:
            for (x, y), (place, value) in zip(spots, own, strict=True):
                words = f"{one.name}, {_label(place)}: {figure(value)}"
                _mark(svg, "circle", at, words, cx=f"{x:.1f}", cy=f"{y:.1f}", r="4" if kind == "scatter" else "2.5")


def _curve(svg: Element, kind: Kind, at: int, spots: Sequence[tuple[float, float]], base: Sequence[float]) -> None:
    if kind == "scatter" or not spots:
        return
    colour, path = _COLOURS[(at - 1) % len(_COLOURS)], " L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    if kind == "area":
        back = " L".join(f"{x:.1f} {y:.1f}" for (x, _), y in reversed(list(zip(spots, base, strict=True))))
        attributes = {"class": f"area series-{at}", "fill": colour, "fill-opacity": "0.2", "d": f"M{path} L{back} Z"}
        SubElement(svg, "path", attributes)
    line = {"class": f"line series-{at}", "fill": "none", "stroke": colour, "stroke-width": "2", "d": f"M{path}"}
    SubElement(svg, "path", line)


def _columns(svg: Element, series: Sequence[Series], places: Sequence[Place], stacked: bool) -> None:
    """Upright bars by word, side by side or one above the other."""
    values = _value_scale(_totals(series, stacked), _HEIGHT - _BOTTOM, _TOP)
    _value_axis(svg, values)
    step = (WIDTH - _LEFT - _RIGHT) / max(len(places), 1)
    wide = step * 0.8 / (1 if stacked else max(len(series), 1))
    below = dict.fromkeys(places, 0.0)
    for at, one in enumerate(series, 1):
        for place, value in one.points:
            if place not in below:
                continue
            start = below[place] if stacked else 0.0
            below[place] = start + value if stacked else 0.0
            top, bottom = sorted((values(start + value), values(start)))
            x = _LEFT + places.index(place) * step + step * 0.1 + (0 if stacked else (at - 1) * wide)
            box = {
                "x": f"{x:.1f}",
                "y": f"{top:.1f}",
                "width": f"{max(wide - 1, 1):.1f}",
                "height": f"{bottom - top:.1f}",
            }
            _mark(svg, "rect", at, f"{one.name}, {_label(place)}: {figure(value)}", **box)
    every = max(1, math.ceil(len(places) / 8))
    for number, place in enumerate(places):
        if number % every == 0:
            _say(svg, _LEFT + (number + 0.5) * step, _HEIGHT - 8, _short(_label(place), max(4, int(step * every / 7))))


def _rows(svg: Element, series: Sequence[Series], places: Sequence[Place], stacked: bool) -> None:
    """Bars lying on their side, one line a word."""
    left, tall = 170, 22
    svg.set("viewBox", f"0 0 {WIDTH} {len(places) * (tall + 8) + 16}")
    values = _value_scale(_totals(series, stacked), left, WIDTH - 80)
    thick = tall / (1 if stacked else max(len(series), 1))
    ends = dict.fromkeys(places, 0.0)
    for number, place in enumerate(places):
        _say(svg, left - 8, 8 + number * (tall + 8) + tall * 0.7, _short(_label(place), 24), "end")
    for at, one in enumerate(series, 1):
        for place, value in one.points:
            if place not in ends:
                continue
            start = ends[place] if stacked else 0.0
            ends[place] = start + value if stacked else max(ends[place], value)
            x1, x2 = sorted((values(start), values(start + value)))
            y = 8 + places.index(place) * (tall + 8) + (0 if stacked else (at - 1) * thick)
            box = {"x": f"{x1:.1f}", "y": f"{y:.1f}", "width": f"{max(x2 - x1, 1):.1f}", "height": f"{thick - 1:.1f}"}
            _mark(svg, "rect", at, f"{one.name}, {_label(place)}: {figure(value)}", **box)
    if len(series) == 1:
        for number, place in enumerate(places):
            text = figure(dict(series[0].points).get(place, 0))
            _say(svg, values(ends[place]) + 6, 8 + number * (tall + 8) + tall * 0.7, text, "start")


def _pie(title: str, drawn: Sequence[Series], axis: str, series: Sequence[Series]) -> Plot:
    """The first series' positive values as slices, the small ones together."""
    points = [(place, value) for place, value in (drawn[0].points if drawn else ()) if value > 0]
    points.sort(key=lambda point: -point[1])
    slices = [(_label(place), value) for place, value in points[:MOST_SLICES]]
    if len(points) > MOST_SLICES:
        slices[-1:] = [(f"{len(points) - MOST_SLICES + 1} others", sum(v for _, v in points[MOST_SLICES - 1 :]))]
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} 260", "role": "img", "aria-label": title})
    SubElement(svg, "title").text = title
    total, angle = sum(value for _, value in slices) or 1.0, -math.pi / 2
    for number, (label, value) in enumerate(slices):
        turn = 2 * math.pi * value / total
        at, words = number % MOST_SERIES + 1, f"{label}: {figure(value)} ({value / total:.1%})"
        _mark(svg, "path", at, words, d=_slice(130, 130, 110, angle, turn), stroke="#fff")
        angle += turn
        y = 22 + number * 19
        _mark(svg, "rect", at, words, x="290", y=str(y - 10), width="11", height="11", rx="2")
        _say(svg, 308, y, _short(words, 48), "start")
    notes = ("Values that are not above zero have no slice.",) if drawn and len(points) < len(drawn[0].points) else ()
    return Plot(Drawing(svg_text(svg), *_table(axis, series)), (), notes)


def _slice(x: float, y: float, radius: float, start: float, turn: float) -> str:
    turn = min(turn, 2 * math.pi - 1e-4)
    x1, y1 = x + radius * math.cos(start), y + radius * math.sin(start)
    x2, y2 = x + radius * math.cos(start + turn), y + radius * math.sin(start + turn)
    large = 1 if turn > math.pi else 0
    return f"M{x:.1f} {y:.1f} L{x1:.2f} {y1:.2f} A{radius:.1f} {radius:.1f} 0 {large} 1 {x2:.2f} {y2:.2f} Z"
