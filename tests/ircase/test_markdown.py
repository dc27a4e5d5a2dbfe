"""Markdown of people's: formatted, and never able to do anything."""

import re

import pytest
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from ircase.markdown import render

NASTY = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "![x](https://stranger.example/pixel.png)",
    "![x](javascript:alert(1))",
    '<img src=x onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    '<svg onload="alert(1)">',
    "<iframe src=https://e.example></iframe>",
    '[x](https://e.example "onmouseover=alert(1)")',
    '[x](https://e.example" onmouseover="alert(1))',
    "<style>body{display:none}</style>",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```<script>\nalert(1)\n```",
]


def harmless(html: str) -> bool:
    tags = re.findall(r"<[^>]*>", html)
    bad = re.compile(
        r"(?i)<(script|img|svg|iframe|style|object|embed|form|input)|\son\w+\s*=|href=\"?\s*(javascript|data|vb)"
    )
    return not any(bad.search(re.sub(r'title="[^"]*"', "", tag)) for tag in tags)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_acts_passes(text: str) -> None:
    assert harmless(render(text)), render(text)


def test_what_people_write_is_shown() -> None:
    html = render(
        "# One\n\n**bold** ~~gone~~ `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n\n[ok](https://e.example)"
    )
    for part in (
        "<h2>One</h2>",
        "<strong>bold</strong>",
        "<s>gone</s>",
        "<code>code</code>",
        "<td>1</td>",
        "<li>x</li>",
    ):
        assert part in html
    assert '<a href="https://e.example" rel="noopener noreferrer nofollow">ok</a>' in html


def test_a_picture_is_its_description() -> None:
    assert render("![the <b>graph](https://e.example/x.png)") == "<p>[picture: the &lt;b&gt;graph]</p>\n"


class AnyTextTests(SimpleTestCase):
    @given(st.text(alphabet="<>[]()!\"'`*_#|:/ \n\\&;=javscriptonel1{}", max_size=200))
    def test_any_text_is_harmless(self, text: str) -> None:
        assert harmless(render(text))

    def test_deep_nesting_ends(self) -> None:
        assert render("> " * 5000 + "x")
        assert render("[" * 5000 + "x")
