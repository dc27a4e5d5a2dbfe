"""Charts as SVG made on the server: the same for the page and the PDF, readable without script, by ear and in print.

Marks carry presentation attributes, so that they print, and classes, by which the page's style sheet gives them the
theme's colours. Every mark has a `<title>`, the drawing a label, and `as_table` says the same in words and figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils.safestring import SafeString, mark_safe

BAR, GAP, LABEL, VALUE, WIDTH = 22, 12, 150, 70, 640
MOST_LABELS = 8
# Colours for print and for where no style sheet reaches; classes override them on the page.
FILLS = {
    "informational": "#64748b",
    "low": "#2563eb",
    "medium": "#eab308",
    "high": "#f97316",
    "critical": "#b91c1c",
    "accent": "#2563eb",
    "done": "#15803d",
    "skipped": "#64748b",
    "left": "#c2410c",
}
CLASSES = {"accent": "series-1", "done": "series-3", "skipped": "series-7", "left": "series-2"}


@dataclass(frozen=True)
class Bar:
    """One row: parts by series, in order; `note` is shown at its end, `link` leads to what it counts."""

    label: str
    parts: Mapping[str, float]
    note: str = ""
    link: str = ""

    @property
    def total(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Drawing:
    """A chart and the same in a table: header and rows of text."""

    svg: SafeString
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def bars(
    title: str, rows: Sequence[Bar], names: Mapping[str, str], *, label: int = LABEL, value: int = VALUE
) -> Drawing:
    """Horizontal bars, stacked where a row has several parts. `names` gives each series its label; a series named in
    FILLS takes that colour. `label` and `value` are the room before and after the bars."""
    height = len(rows) * (BAR + GAP) + GAP
    # What can be followed must be reachable: an image hides its links from those who listen.
    role = "group" if any(row.link for row in rows) else "img"
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": role, "aria-label": title})
    SubElement(svg, "title").text = title
    longest = max((row.total for row in rows), default=0) or 1
    for place, row in enumerate(rows):
        _bar(svg, row, names, GAP + place * (BAR + GAP), (label, (WIDTH - label - value) / longest))
    return Drawing(svg_text(svg), ("", *names.values()), tuple(_words(row, names) for row in rows))


def _bar(svg: Element, row: Bar, names: Mapping[str, str], top: float, across: tuple[int, float]) -> None:
    begin, scale = across
    parent = SubElement(svg, "a", {"href": row.link}) if row.link else SubElement(svg, "g")
    text = {"fill": "#475569", "font-size": "13", "y": f"{top + BAR * 0.7:.1f}"}
    SubElement(parent, "text", {**text, "x": str(begin - 10), "text-anchor": "end"}).text = row.label
    left = float(begin)
    for series, value in row.parts.items():
        if value > 0:
            attributes = {"class": _colour(series), "fill": FILLS.get(series, FILLS["accent"]), "rx": "2"}
            box = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{max(value * scale, 1):.1f}", "height": str(BAR)}
            mark = SubElement(parent, "rect", {**attributes, **box})
            SubElement(mark, "title").text = f"{row.label}, {names.get(series, series)}: {figure(value)}"
            left += value * scale
    SubElement(parent, "text", {**text, "x": f"{left + 8:.1f}", "class": "value"}).text = row.note or figure(row.total)


def line(
    title: str,
    points: Sequence[tuple[str, float | None]],
    unit: str,
    *,
    links: Sequence[str] = (),
    target: float | None = None,
) -> Drawing:
    """One line over labelled points; a point without a value leaves a gap, never a zero. `links`, one for each point,
    lead to what it is made of; `target` is drawn across, dashed and named."""
    height, left, top, bottom = 200, 44, 14, 28
    role = "group" if any(links) else "img"
    svg = Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": role, "aria-label": title})
    SubElement(svg, "title").text = title
    highest = max([value for _, value in points if value is not None] + [target or 0], default=0) or 1
    step = (WIDTH - left - 16) / max(len(points) - 1, 1)
    place = [
        (left + number * step, None if value is None else top + (height - top - bottom) * (1 - value / highest))
        for number, (_, value) in enumerate(points)
    ]
    _axis(svg, left, top, height - bottom, highest)
    if target is not None:
        _target(svg, left, top + (height - top - bottom) * (1 - target / highest), f"Target: {figure(target)} {unit}")
    for stretch in _stretches(place):
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in stretch)
        drawn = {"class": "line series-1", "fill": "none", "stroke": FILLS["accent"], "stroke-width": "2"}
        SubElement(svg, "path", {**drawn, "d": path})
    every = -(-len(points) // MOST_LABELS)
    for number, ((x, y), (label, value)) in enumerate(zip(place, points, strict=True)):
        if number % max(every, 1) == 0:
            anchor = "end" if number == len(points) - 1 > 0 else "middle"
            words = {"fill": "#475569", "font-size": "12", "text-anchor": anchor}
            SubElement(
                svg, "text", {**words, "x": f"{x + 14 * (anchor == 'end'):.1f}", "y": str(height - 8)}
            ).text = label
        if y is not None and value is not None:
            _dot(svg, x, y, f"{label}: {figure(value)} {unit}", links[number] if number < len(links) else "")
    rows = tuple((label, "no data" if value is None else f"{figure(value)} {unit}") for label, value in points)
    if target is not None:
        rows = (*rows, ("Target", f"{figure(target)} {unit}"))
    return Drawing(svg_text(svg), ("", unit), rows)


def _dot(svg: Element, x: float, y: float, words: str, link: str) -> None:
    parent = SubElement(svg, "a", {"href": link, "aria-label": words}) if link else svg
    place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "4"}
    dot = SubElement(parent, "circle", {"class": "series-1", "fill": FILLS["accent"], **place})
    SubElement(dot, "title").text = words


def _target(svg: Element, left: float, y: float, words: str) -> None:
    """Dashed and with its words, so that it needs no colour to be told from the line."""
    ends = {"x1": str(left), "x2": str(WIDTH - 16), "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
    dashed = {"class": "target", "stroke": "#475569", "stroke-width": "1.5", "stroke-dasharray": "6 4"}
    SubElement(SubElement(svg, "line", {**dashed, **ends}), "title").text = words
    text = {"fill": "#475569", "font-size": "12", "text-anchor": "end"}
    # Above the line, or below it where there is no room.
    SubElement(svg, "text", {**text, "x": str(WIDTH - 16), "y": f"{y - 5 if y > 30 else y + 15:.1f}"}).text = words


@dataclass(frozen=True)
class Column:
    """One upright bar; `link` leads to what it counts."""

    label: str
    value: float
    link: str = ""


def histogram(
    title: str, columns: Sequence[Column], ends: tuple[str, str], *, width: int = WIDTH, height: int = 170
) -> Drawing:
    """Upright bars side by side, of which only the two `ends` of the axis are labelled."""
    left, top, bottom = 60, 10, 26
    role = "group" if any(column.link for column in columns) else "img"
    svg = Element("svg", {"viewBox": f"0 0 {width} {height}", "role": role, "aria-label": title})
    SubElement(svg, "title").text = title
    highest = max((column.value for column in columns), default=0) or 1
    _axis(svg, left, top, height - bottom, highest, width)
    step = (width - left - 16) / max(len(columns), 1)
    for place, column in enumerate(columns):
        tall = (height - top - bottom) * column.value / highest
        box = {"x": f"{left + place * step + 1:.1f}", "y": f"{height - bottom - tall:.1f}"}
        size = {"width": f"{max(step - 2, 1):.1f}", "height": f"{tall:.1f}"}
        parent = SubElement(svg, "a", {"href": column.link}) if column.link and column.value else svg
        mark = SubElement(parent, "rect", {"class": "series-1", "fill": FILLS["accent"], **box, **size})
        SubElement(mark, "title").text = f"{column.label}: {figure(column.value)}"
    words = {"fill": "#475569", "font-size": "12", "y": str(height - 8)}
    SubElement(svg, "text", {**words, "x": str(left)}).text = ends[0]
    SubElement(svg, "text", {**words, "x": str(width - 16), "text-anchor": "end"}).text = ends[1]
    return Drawing(svg_text(svg), ("Values", "Rows"), tuple((one.label, figure(one.value)) for one in columns))


def _axis(svg: Element, left: float, top: float, bottom: float, highest: float, width: int = WIDTH) -> None:
    for share in (0.0, 0.5, 1.0):
        y = bottom - (bottom - top) * share
        SubElement(
            svg,
            "line",
            {
                "class": "grid-line",
                "stroke": "#cbd5e1",
                "x1": str(left),
                "x2": str(width - 16),
                "y1": f"{y:.1f}",
                "y2": f"{y:.1f}",
            },
        )
        words = {"fill": "#475569", "font-size": "12", "text-anchor": "end"}
        value = highest * share if highest < 20 else round(highest * share)
        SubElement(svg, "text", {**words, "x": str(left - 6), "y": f"{y + 4:.1f}"}).text = figure(value)


def _stretches(place: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Runs of neighbouring points that have a value."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, y in place:
        if y is None:
            found.append([])
        else:
            found[-1].append((x, y))
    return [stretch for stretch in found if len(stretch) > 1]


def _colour(series: str) -> str:
    """The style sheet's class of a series: severities have their own colours."""
    return CLASSES.get(series, f"sev-{series}" if series in FILLS else "series-1")


def _words(row: Bar, names: Mapping[str, str]) -> tuple[str, ...]:
    return (row.label, *(figure(row.parts.get(series, 0)) for series in names))


def figure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def svg_text(svg: Element) -> SafeString:
    # ElementTree escapes every label: nothing of what a person wrote reaches the page as markup.
    return mark_safe(tostring(svg, encoding="unicode"))
