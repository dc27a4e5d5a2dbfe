"""What every template owes to the Content Security Policy, to its readers, and to hostile text."""

import dataclasses
import datetime as dt
import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import TemplateSyntaxError
from django.utils import timezone

from frontend import drawing, styleguide
from frontend.jsontree import nodes
from tests.frontend.rendering import ENGINE, ROOT, component, page, plain, style_guide

ALL = sorted(
    path for folder in ("templates", "ircase", "hunting", "liveresponse") for path in (ROOT / folder).rglob("*.html")
)
OURS = [path for path in ALL if path.is_relative_to(ROOT / "templates")]
COMPONENTS = sorted(path.stem for path in (ROOT / "templates/components").glob("*.html"))
DOCUMENTED = [name for name in COMPONENTS if not name.startswith("_")]
ICONS = json.loads((ROOT / "frontend/icons.json").read_text(encoding="utf-8"))
HOSTILE = "<img src=x onerror=alert(1)>\"'"

FORBIDDEN = {
    "style attribute": r"\sstyle\s*=",
    "style element": r"<style\b",
    "inline script": r"<script\b(?![^>]*\bsrc=)",
    "event attribute": r"<[^>{]*\son[a-z]+\s*=",
    "hx-on": r"\bhx-on\b",
    "evaluated hx-vals": r"hx-(vals|headers)\s*=\s*['\"]\s*js:",
    "htmx trigger filter": r"hx-trigger\s*=\s*\"[^\"]*\[",
    "foreign host": r"(src|href)\s*=\s*['\"]https?://",
    "safe filter": r"\|\s*safe\b",
}


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_no_template_needs_what_the_policy_forbids(rule: str) -> None:
    pattern = re.compile(FORBIDDEN[rule], re.IGNORECASE)
    assert [str(path.relative_to(ROOT)) for path in ALL if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_every_named_icon_is_in_the_sprite() -> None:
    named = re.compile(
        r"{% icon (?:[\w.]+\|default:)?\"([^\"]+)\"|\bicon=\"([^\"]+)\"|default:\"([a-z0-9-]+)\" only %}"
    )
    wanted = {
        name for path in ALL for match in named.findall(path.read_text(encoding="utf-8")) for name in match if name
    }
    assert wanted - set(ICONS) == set()
    assert sorted(set(ICONS)) == ICONS


def test_every_component_is_documented_in_itself_and_in_the_guide() -> None:
    guide = (ROOT / "docs/interface.md").read_text(encoding="utf-8")
    parts_of_base = {
        "bell",
        "topbar",
        "sidenav",
        "nav_item",
        "problems",
        "shortcuts",
        "palette",
        "theme_switch",
        "dialog_head",
        "fill_dialog",
    }
    for name in DOCUMENTED:
        source = (ROOT / f"templates/components/{name}.html").read_text(encoding="utf-8")
        assert source.startswith("{% comment %}"), name
        assert name in parts_of_base or f"`{name}`" in guide, f"docs/interface.md does not list {name}"


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_template_compiles(path: Path) -> None:
    try:
        ENGINE.engine.from_string(path.read_text(encoding="utf-8"))
    except TemplateSyntaxError as error:
        if "is not a registered tag library" not in str(error):
            raise


def test_the_style_guide_uses_every_component() -> None:
    html = style_guide()
    sources = "".join(path.read_text(encoding="utf-8") for path in OURS)
    assert [name for name in DOCUMENTED if f"components/{name}.html" not in sources] == []
    assert html.count("<h1") == 1
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert sorted(ids) == sorted(set(ids)), "an id occurs twice"


def test_shell_carries_what_htmx_and_csrf_need() -> None:
    html = page("styleguide.html", **styleguide.sample_context())
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']+)'", html)[1])  # type: ignore[index]
    assert (config["allowEval"], config["includeIndicatorStyles"], config["selfRequestsOnly"]) == (False, False, True)
    assert {"code": "422", "swap": True} in config["responseHandling"]
    assert config["historyCacheSize"] == 0, "case pages must not stay in the browser's storage"
    assert config["defaultSettleDelay"] == 0, "until it has settled, new content posts as if there were no script"
    token = json.loads(re.search(r"hx-headers='([^']+)'", html)[1])["X-CSRFToken"]  # type: ignore[index]
    assert len(token) == 64
    assert html.index("ui/theme.js") < html.index("ui/app.css"), "the theme is chosen before the first paint"


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", ["My work"]),
        ("/case_list/", ["Cases"]),
        ("/case_list/IR-2026-0142/hunting/library/", ["Cases"]),
        ("/hunting/library/logons/", ["Hunt library"]),
        ("/profile/", []),
    ],
)
def test_the_navigation_marks_where_one_is(path: str, current: list[str]) -> None:
    nav = component("sidenav", path)
    marked = re.findall(r"<a class=\"nav\"[^>]*aria-current[^>]*>.*?</svg>\s*([^<]+?)\s*</a>", nav)
    assert marked == current


def test_navigation_counts() -> None:
    nav = component("sidenav", approvals_waiting=2)
    assert re.search(r"Approvals<span class=\"count hot\">2", nav)
    assert "Administration" in nav
    bob = dataclasses.replace(styleguide.BOB, administers=False)
    assert "Administration" not in page("components/sidenav.html", user=bob)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("TLP:AMBER+STRICT", "TLP:AMBER+STRICT"),
        ("amber_strict", "TLP:AMBER+STRICT"),
        ("red", "TLP:RED"),
        ("Clear", "TLP:CLEAR"),
    ],
)
def test_tlp_is_written_as_first_writes_it(given: str, shown: str) -> None:
    assert re.search(r">([^<]+)</span>", component("tlp", value=given))[1] == shown  # type: ignore[index]


def test_states_and_severities_have_words() -> None:
    assert 'data-state="failed"' in component("state", value="FAILED")
    assert "<span>Failed</span>" in component("state", value="FAILED")
    assert "<span>3rd in the queue</span>" in component("state", value="queued", text="3rd in the queue")
    assert "<span>No data</span>" in component("state", value="no_data")
    assert component("severity", value="Critical").endswith("Critical</span>")


def test_time_names_its_zone_and_keeps_utc() -> None:
    at = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        html = drawing.time(at)
    assert 'datetime="2026-11-20T23:30:00Z"' in html
    assert "21 Nov 2026, 00:30 <abbr>CET</abbr>" in html
    assert drawing.time(None, missing="never") == "never"
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert ">00:30:00</time>" in drawing.time(at, only="time", seconds=True)
        assert ">21 Nov 2026</time>" in drawing.time(at, only="date")


def test_an_icon_is_named_or_hidden_and_nothing_it_is_given_is_markup() -> None:
    assert drawing.icon("star") == '<svg class="icon" aria-hidden="true"><use href="/static/ui/icons.svg#star"/></svg>'
    named = drawing.icon("star", label='"><b>', attribute="data-on", **{"class": "spin"})
    assert 'class="icon spin" role="img" aria-label="&quot;&gt;&lt;b&gt;" data-on>' in named


def test_a_tree_unfolds_its_first_level_and_escapes_all_of_it() -> None:
    tree = drawing.json_tree(nodes({"<k>": {"inner": ["<v>", 7]}, "n": None}))
    assert '<details open><summary><span class="key">&lt;k&gt;</span>' in tree
    assert tree.count("<details>") == 1 and tree.count("<details open>") == 1
    assert '<span class="string">&lt;v&gt;</span>' in tree or "&quot;&lt;v&gt;&quot;" in tree
    assert "<v>" not in tree and "<k>" not in tree


def test_sort_links_turn_round_and_keep_the_filter() -> None:
    up = component("th", "/case_list/?state=open&page=4", label="Opened", field="opened", sort="opened")
    assert 'aria-sort="ascending"' in up
    assert 'href="?state=open&amp;sort=-opened"' in up
    fresh = component("th", "/case_list/?state=open", label="Opened", field="opened", sort="title")
    assert "aria-sort" not in fresh
    assert 'href="?state=open&amp;sort=opened"' in fresh
    assert "<a" not in component("th", label="Title")


def test_pages_keep_the_query() -> None:
    html = component(
        "pagination", "/case_list/?q=a%26b&page=3", page=styleguide.SamplePage(), noun="cases", target="#list"
    )
    assert "201–300 of 1,234 cases" in html
    assert re.findall(r'<a [^>]*href="([^"]+)"', html) == [f"?q=a%26b&amp;page={n}" for n in (1, 2, 4, 13)]
    assert html.count('hx-target="#list"') == 4


class Signup(forms.Form):
    name = forms.CharField(help_text="As in the directory.")
    agree = forms.BooleanField(required=False)


def test_form_links_errors_and_help_to_the_field() -> None:
    html = component("form", form=Signup({"name": ""}))
    assert "Please correct one thing" in html
    assert '<a href="#id_name">Name</a>: This field is required.' in html
    described = re.search(r'<input[^>]*name="name"[^>]*>', html)[0]  # type: ignore[index]
    for linked in re.search(r'aria-describedby="([^"]+)"', described)[1].split():  # type: ignore[index]
        assert f'id="{linked}"' in html
    assert 'aria-invalid="true"' in described
    assert component("form_errors", form=Signup()).strip() == ""


TEXTS = ("text", "title", "label", "value", "note", "sub", "caption", "language", "what", "noun", "id", "url", "unit")
ROW_TEXTS = ("title", "text", "actor", "object", "quote", "detail", "source", "due", "badge", "value", "label", "name")


def hostile_context(name: str) -> dict[str, object]:
    everything = styleguide.sample_context()
    poison = dict.fromkeys(TEXTS, HOSTILE)
    row = dict.fromkeys(ROW_TEXTS, HOSTILE)
    lists = {
        "items": [row], "tabs": [row], "phases": [row], "item": row | {"meta": [HOSTILE]}, "entry": row,
        "event": row | {"techniques": [HOSTILE]}, "rows": [{"cells": [row], "number": 1}], "columns": [row],
        "nodes": styleguide.nodes({HOSTILE: [HOSTILE]}), "legend": [row | {"class": HOSTILE}],
        "messages": [type("M", (), {"level_tag": "error", "__str__": lambda self: HOSTILE})()],
    }  # fmt: skip
    return {**everything, **poison, **lists, "chart": "", "svg": "", "body_template": "components/copy.html"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_hostile_text_stays_text(name: str) -> None:
    html = component(name, **hostile_context(name))
    assert "<img" not in html
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', html))


def test_dictionary_methods_are_no_values() -> None:
    """Templates look a key up before a method, but find the method when the key is absent."""
    html = component("kv", items=[{"label": "Device", "value": "ws01"}]) + component(
        "facts", items=[{"label": "a", "value": "b"}]
    )
    assert "data-copy" not in html


@pytest.mark.parametrize("name", ["400.html", "500.html"])
def test_error_pages_render_without_request_and_context(name: str) -> None:
    html = plain(name)
    assert "What you can do" in html
    assert 'href="/static/ui/app.css"' in html


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_error_pages_say_what_happened_and_what_to_do(name: str) -> None:
    html = page(f"{name}.html", user=None)
    assert name[:3] in re.search(r'class="error-code">([^<]+)', html)[1]  # type: ignore[index]
    assert html.count("<li>") >= 3
    assert 'class="side"' not in html, "an outsider gets no navigation"


def test_forbidden_tells_the_reason_as_text() -> None:
    assert "&lt;img" in page("403.html", reason=HOSTILE)


def test_sign_in_keeps_the_way_back() -> None:
    html = page("registration/login.html", user=None, form=Signup(), next="/cases/IR-2026-0142/?a=1&b=2")
    assert 'name="next" value="/cases/IR-2026-0142/?a=1&amp;b=2"' in html
    assert "csrfmiddlewaretoken" in html
