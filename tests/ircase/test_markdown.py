"""Markdown of people's: formatted, and never able to do anything."""

import re

import pytest
from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from ircase.markdown import Room, naming, render
from ircase.markdown.room import Exhibit

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
    # What names things of the case is no way around either fence.
    "[[<img src=x onerror=alert(1)>]]",
    '[["><script>alert(1)</script>]]',
    '@bob"onmouseover="alert(1)',
    "@<script>alert(1)</script>",
    '![x" onerror="alert(1)](E-1)',
    "![<script>alert(1)</script>](E-1)",
    '![x](E-1 "onload=alert(1)")',
    "![x](e-1)",
    "![x](//stranger.example/E-1)",
    "![x](E-1/../../x.svg)",
    "![x](data:image/svg+xml;base64,PHN2Zy8+)",
    "- [x] <img src=x onerror=alert(1)>",
    '```"onclick="alert(1)\nx\n```',
    "```js onclick=alert(1)\nx\n```",
    "# <script>alert(1)</script>",
    '# x" onclick="alert(1)',
    "[x](java\nscript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](\\x01javascript:alert(1))",
    "[x](//stranger.example)",
    "![x][y]\n\n[y]: javascript:alert(1)",
    '<https://e.example/"onclick=alert(1)>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<math><mi xlink:href=javascript:alert(1)>",
    "<form action=/sign-out/><input type=submit></form>",
    "<a id=location href=x>y</a>",
    "[IR-2026-0001](javascript:alert(1))",
    "[@bob](javascript:alert(1))",
]
ROOM = Room(
    people={"bob": 'Bob "<b>" \'x\''},
    cases={"IR-2026-0001": "/cases/IR-2026-0001/"},
    exhibits={
        1: Exhibit("E001", "/cases/IR-2026-0001/evidence/x/",
                   f"/cases/IR-2026-0001/evidence/{'0' * 8}-0000-4000-8000-{'0' * 12}/preview/image/picture.png"),
        2: Exhibit("E002", "/cases/IR-2026-0001/evidence/y/"),
        3: Exhibit("E003", "/cases/IR-2026-0001/evidence/z/", "https://stranger.example/pixel.png"),
    },
    notes={"call minutes": "/cases/IR-2026-0001/notes/n/"},
    anchors=True,
)  # fmt: skip
OUR_PICTURE = re.compile(
    r'<img class="exhibit" src="/cases/IR-2026-0001/evidence/[0-9a-f-]{36}/preview/image/picture\.png" '
    r'alt="[^"<>]*" loading="lazy">'
)


def harmless(html: str) -> bool:
    """Pictures of ours aside, no tag or attribute that could act."""
    html = OUR_PICTURE.sub("", html)
    if re.search(r"<[^>]*\sid=\"(?!text-)", html):
        return False
    tags = re.findall(r"<[^>]*>", html)
    bad = re.compile(
        r"(?i)<(script|img|svg|iframe|style|object|embed|form|input)|\son\w+\s*=|href=\"?\s*(javascript|data|vb)"
    )
    return not any(bad.search(re.sub(r'(title|alt)="[^"]*"', "", tag)) for tag in tags)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_acts_passes(text: str) -> None:
    assert harmless(render(text)), render(text)
    assert harmless(render(text, ROOM)), render(text, ROOM)


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


def test_what_is_named_is_a_link_where_the_reader_may_see_it() -> None:
    text = "@bob, see IR-2026-0001, IR-2026-0002, E-1, E001, E-9 and [[Call minutes]] with @eve."
    html = render(text, ROOM)
    rel = 'rel="noopener noreferrer nofollow"'
    assert '<span class="mention" title="Bob &quot;&lt;b&gt;&quot; \'x\'">@bob</span>, see' in html
    assert f'<a class="reference" href="/cases/IR-2026-0001/" {rel}>IR-2026-0001</a>' in html
    assert html.count('href="/cases/IR-2026-0001/evidence/x/"') == 2
    assert f'<a class="reference" href="/cases/IR-2026-0001/notes/n/" {rel}>Call minutes</a>' in html
    assert "IR-2026-0002, " in html and "E-9 and" in html and "with @eve." in html
    assert "<a" not in render(text) and "<span" not in render(text)


def test_names_in_code_links_and_addresses_are_left_alone() -> None:
    text = "`@bob` [@bob](https://e.example) mail bob@bob x/@bob.\n\n    @bob E-1\n\nPRE-1 E-1x"
    html = render(text, ROOM)
    assert "mention" not in html and "reference" not in html
    assert naming.people_in(text) == set()
    assert naming.people_in("(@bob) @alice.x@e.example. @bob") == {"bob", "alice.x@e.example"}


def test_pictures_are_of_exhibits_that_a_worker_drew() -> None:
    assert OUR_PICTURE.search(render('![the "graph"](E-1)', ROOM))
    assert "[picture of E002: later]" in render("![later](E002)", ROOM)
    assert render("![x](E-9)", ROOM) == "<p>[picture: x]</p>\n"
    assert "stranger" not in render("![x](E-3)", ROOM)  # even where our own table were wrong
    assert naming.pictures_in("![a](E-1) ![b](E002) `![c](E-3)` ![d](https://e.example/E-4)") == {1, 2}


def test_tasks_code_and_headings() -> None:
    html = render("- [x] done\n- [ ] open\n- [y] text\n\n```KQL\nDeviceEvents\n```\n\n# One\n\n# One", ROOM)
    assert html.count('<li class="task">') == 2
    assert "Done: </span>done" in html and "To do: </span>open" in html and "[y] text" in html
    assert '<code class="language-kql">' in html
    assert '<h2 id="text-one">' in html and '<h2 id="text-one-2">' in html
    assert " id=" not in render("# One")


class AnyTextTests(SimpleTestCase):
    @given(st.text(alphabet="<>[]()!\"'`*_#|:/ \n\\&;=javscriptonel1{}", max_size=200))
    def test_any_text_is_harmless(self, text: str) -> None:
        assert harmless(render(text))
        assert harmless(render(text, ROOM))

    @given(
        st.lists(
            st.sampled_from([*NASTY, "\n\n", "- ", "> ", "| a |\n|---|\n| ", "**", "`", "[[", "]]", "@bob", "E-1"])
        )
    )
    def test_any_mixture_is_harmless(self, parts: list[str]) -> None:
        assert harmless(render("".join(parts), ROOM))

    def test_deep_nesting_ends(self) -> None:
        assert render("> " * 5000 + "x")
        assert render("[" * 5000 + "x")
