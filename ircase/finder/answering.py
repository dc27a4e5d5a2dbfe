"""What a person is answered: the finds, or what is wrong with the query, or what a looser query found."""

from dataclasses import dataclass, replace
from typing import Final

from django.utils import timezone

from ircase.finder import asking
from ircase.finder.asking import Group, Hit, Page
from ircase.models import User
from ircase.search.language import Query, QueryProblem, parse
from ircase.search.sources import source_of

SHORTEST: Final = 2


@dataclass(frozen=True)
class Problem:
    """What is wrong, with the query cut in three: before it, it, and after it."""

    message: str
    before: str
    wrong: str
    after: str


@dataclass(frozen=True)
class Answer:
    """`groups` where every kind was asked, `page` where one was; `parts` are titles that hold the text inside words."""

    problem: Problem | None = None
    too_short: bool = False
    groups: tuple[Group, ...] = ()
    page: Page | None = None
    parts: tuple[Hit, ...] = ()
    notes: tuple[str, ...] = ()
    begun: bool = False  # no whole word fitted: words that begin so

    @property
    def found(self) -> int:
        return sum(group.shown for group in self.groups) + len(self.page.hits if self.page else ()) + len(self.parts)


def answer(user: User, text: str, *, kind: str = "", after: str = "") -> Answer:
    """The answer to what was typed; an empty one where nothing was. `kind`: that kind alone, from `after` on."""
    if not text or len(text) < SHORTEST:
        return Answer(too_short=bool(text))
    try:
        query = parse(text, timezone.localtime())
    except QueryProblem as problem:
        cut = text[: problem.start], text[problem.start : problem.end], text[problem.end :]
        return Answer(problem=Problem(problem.message, *cut))
    if query.tree is None:
        return Answer(notes=query.notes)
    made = _made(user, query, kind, after)
    if made.found:
        return made
    wider = asking.looser(query)
    begun = _made(user, wider, kind, after) if wider else made
    if begun.found:
        return replace(begun, begun=True)
    return replace(made, parts=() if kind else tuple(_parts(user, text, query)))


def _made(user: User, query: Query, kind: str, after: str) -> Answer:
    source = source_of(kind)
    if source is not None:
        return Answer(page=asking.page(user, query, source, after), notes=query.notes)
    return Answer(groups=tuple(asking.best(user, query)), notes=query.notes)


def _parts(user: User, text: str, query: Query) -> list[Hit]:
    """Only for a text without syntax: else it would be looked for as it stands."""
    if len(text) < 3 or set(text) & set('"*:()') or not query.terms:
        return []
    return asking.parts_of_titles(user, text, query.terms)
