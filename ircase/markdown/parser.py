"""The parser: CommonMark with tables, task lists, and the names of things of the case as tokens of their own."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import nh3
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from ircase.markdown.room import Room

# A name ends in a letter, digit or underscore, so that the full stop of a sentence is not taken along. What stands
# after a slash or a letter is part of an address.
_NAMED: Final = re.compile(
    r"(?<![\w@./+-])@(?P<person>\w(?:[\w.+@-]{0,148}\w)?)"
    r"|(?<![\w-])(?P<case>IR-\d{4}-(?:\d{4,12}|X[A-Z2-7]{6}))(?![\w-])"
    r"|(?<![\w-])E(?:-(?P<exhibit>\d{1,6})|(?P<label>\d{3,6}))(?![\w-])"
    r"|\[\[(?P<note>[^\[\]\n]{1,200})\]\]"
)
_PICTURE: Final = re.compile(r"E-?(\d{1,6})")
_LANGUAGE: Final = re.compile(r"[a-z0-9_+#-]{1,30}")
_TASK: Final = re.compile(r"\[([ xX])\]\s+")


def _references(state: StateCore) -> None:
    """Names in running text become tokens: not those in code, nor in the words of a link."""
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = list(_named(token.children))


def _named(tokens: Sequence[Token]) -> Iterator[Token]:
    links = 0
    for token in tokens:
        links += (token.type == "link_open") - (token.type == "link_close")
        if token.type == "text" and not links:
            yield from _split(token)
        else:
            yield token


def _split(token: Token) -> Iterator[Token]:
    at, text = 0, token.content
    for found in _NAMED.finditer(text):
        if at < found.start():
            yield _text(text[at : found.start()])
        kind = str(found.lastgroup)
        made = Token("named", "", 0, content=found.group(), meta={"kind": kind, "value": found[kind]})
        yield made
        at = found.end()
    if at < len(text) or not text:
        yield _text(text[at:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _tasks(state: StateCore) -> None:
    """`- [ ] this` and `- [x] that`."""
    for place, token in enumerate(state.tokens[2:], 2):
        before = state.tokens[place - 1], state.tokens[place - 2]
        if token.type != "inline" or not token.children or token.children[0].type != "text":
            continue
        if (before[0].type, before[1].type) != ("paragraph_open", "list_item_open"):
            continue
        if found := _TASK.match(token.children[0].content):
            token.children[0].content = token.children[0].content[found.end() :]
            token.children.insert(0, Token("task", "", 0, meta={"done": found[1] != " "}))
            before[1].attrSet("class", "task")


class _Renderer(RendererHTML):
    """Pictures are of the case's evidence: one from elsewhere would fetch from a stranger's server whenever the page is
    read, and its description is shown instead."""

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        alternative = nh3.clean_text(self.renderInlineAsText(tokens[index].children, options, env))
        found = _PICTURE.fullmatch(str(tokens[index].attrGet("src") or ""))
        exhibit = _room(env).exhibits.get(int(found[1])) if found else None
        if exhibit is None:
            return f"[picture: {alternative}]"
        if exhibit.picture:
            return f'<img class="exhibit" src="{exhibit.picture}" alt="{alternative or exhibit.label}" loading="lazy">'
        return f'<a class="reference" href="{exhibit.url}">[picture of {exhibit.label}: {alternative}]</a>'

    # The page has its own h1: what is written as one starts a level below.
    def heading_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tag = _lower(tokens[index].tag)
        if not _room(env).anchors:
            return f"<{tag}>"
        return f'<{tag} id="{_anchor(tokens[index + 1].content, env["ids"])}">'

    def heading_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return f"</{_lower(tokens[index].tag)}>\n"

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        name = (tokens[index].info.split() or [""])[0].lower()
        language = f' class="language-{name}"' if _LANGUAGE.fullmatch(name) else ""
        return f"<pre><code{language}>{_escaped(tokens[index].content)}</code></pre>\n"

    def task(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        box, words = ("☑", "Done: ") if tokens[index].meta["done"] else ("☐", "To do: ")
        return f'<span class="task" aria-hidden="true">{box} </span><span class="vh">{words}</span>'

    def named(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        room, words, value = _room(env), _escaped(tokens[index].content), tokens[index].meta["value"]
        match tokens[index].meta["kind"]:
            case "person" if name := room.people.get(value):
                return f'<span class="mention" title="{_escaped(name)}">{words}</span>'
            case "case" if url := room.cases.get(value):
                return _reference(url, words)
            case "exhibit" | "label" if exhibit := room.exhibits.get(int(value)):
                return _reference(exhibit.url, words)
            case "note" if url := room.notes.get(value.strip().casefold()):
                return _reference(url, _escaped(value.strip()))
        return words


def _reference(url: str, words: str) -> str:
    return f'<a class="reference" href="{_escaped(url)}">{words}</a>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _room(env: Any) -> Room:
    room: Room = env["room"]
    return room


def _anchor(text: str, taken: dict[str, int]) -> str:
    """`text-…`: a prefix that no id of the page begins with."""
    name = slugify(text, allow_unicode=True)[:60] or "part"
    taken[name] = taken.get(name, 0) + 1
    return f"text-{name}" if taken[name] == 1 else f"text-{name}-{taken[name]}"


def _lower(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + 1)}"


PARSER: Final = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}, renderer_cls=_Renderer).enable(
    ["table", "strikethrough"]
)
PARSER.core.ruler.push("tasks", _tasks)
PARSER.core.ruler.push("references", _references)
