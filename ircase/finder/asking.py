"""Asking the index: a query's tree as a condition of the database, and what it finds of what a person may see."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import reduce
from operator import and_, or_
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ircase.finder.snippets import Piece, pieces
from ircase.models import Case, CaseMember, CaseRole, CaseTag, SearchEntry, User
from ircase.search import words
from ircase.search.language import All, Any_, Field, Node, Not, Query, Text
from ircase.search.sources import Source, source_of, sources
from ircase.search.words import AllOf, AnyOf, Expression, Term

SHOWN: Final = 5  # of each kind, where all kinds are asked
_LOOKED_AT: Final = 20  # the newest of each kind, of which the best are shown
PER_PAGE: Final = 25
MOST_COUNTED: Final = 1000
_BULKY: Final = ("log", "table")


@dataclass(frozen=True)
class Hit:
    """One find; `title` and `snippet` in pieces of which some are what was looked for."""

    entry: SearchEntry
    source: Source
    url: str
    title: tuple[Piece, ...]
    snippet: tuple[Piece, ...]


@dataclass(frozen=True)
class Group:
    """The best of one kind; `more` says that there are others."""

    source: Source
    hits: tuple[Hit, ...]
    more: bool

    @property
    def shown(self) -> int:
        return len(self.hits)


@dataclass(frozen=True)
class Page:
    """One kind, newest first. `after` leads to the next page; `count` is exact up to MOST_COUNTED."""

    source: Source
    hits: tuple[Hit, ...]
    after: str
    count: int


class Way(Enum):
    """How the newest of a kind are found.

    LIST: by the list of the tokens' finds, the kind being a token, too: right for few finds. WALK: from the newest row
    of the kind downwards, until there are enough: right for many. NONE: there is nothing.
    """

    LIST = "list"
    WALK = "walk"
    NONE = "none"


def condition(tree: Node, user: User) -> Q:
    """What the tree asks of SearchEntry. `user` is whom `me` and `mine` mean; what they may see is not in it."""
    expression = _expression(tree)
    if expression is not None:
        return Q(words__matches=expression)
    if isinstance(tree, Field):
        return _FIELDS[tree.name](tree.value, user)
    if isinstance(tree, Not):
        return ~condition(tree.part, user)
    assert isinstance(tree, All | Any_)
    if isinstance(tree, Any_):
        return reduce(or_, (condition(part, user) for part in tree.parts))
    # What can be asked of the tokens is asked at once: the index joins the lists.
    found = [(part, _expression(part)) for part in tree.parts]
    texts = tuple(one for _, one in found if one is not None)
    rest = [condition(part, user) for part, one in found if one is None]
    return reduce(and_, [*([Q(words__matches=_all(texts))] if texts else []), *rest])


def _all(parts: tuple[Expression, ...]) -> Expression:
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _expression(node: Node) -> Expression | None:
    """The node as a question to the tokens alone; None where it asks for more."""
    if isinstance(node, Text):
        return node.term
    if isinstance(node, Field):
        return _MARKS[node.name](node.value) if node.name in _MARKS else None
    if isinstance(node, Not):
        return None
    parts = [_expression(part) for part in node.parts]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return AllOf(known) if isinstance(node, All) else AnyOf(known)


_MARKS: Final[dict[str, Callable[[Any], Expression]]] = {
    "technique": lambda value: Term((f"technique={value}",)),
    "hash": lambda value: value,
    "ip": lambda value: value,
}


def _owner(value: str, user: User) -> Q:
    """Whose it is: of a case, its leads."""
    name = user.username if value == "me" else value
    leads = CaseMember.objects.filter(case=OuterRef("case"), role=CaseRole.LEAD, user__username__iexact=name)
    return Q(owner__username__iexact=name) | Q(kind="case") & Q(Exists(leads))


def _is(values: tuple[str, ...], user: User) -> Q:
    mine = CaseMember.objects.filter(user=user).values("case")
    known = {
        "open": Q(case__isnull=False, case__closed_at=None),
        "closed": Q(case__closed_at__isnull=False),
        "mine": Q(case__in=mine),
        "confidential": Q(case__confidential=True),
        "exercise": Q(case__exercise=True),
    }
    return reduce(or_, (known[value] for value in values))


def _has(values: tuple[str, ...], user: User) -> Q:
    def one(kind: str) -> Q:
        if kind == "tag":
            return Q(Exists(CaseTag.objects.filter(case=OuterRef("case"))))
        return Q(Exists(SearchEntry.objects.filter(case=OuterRef("case"), kind=kind)))

    return reduce(or_, map(one, values))


_FIELDS: Final[dict[str, Callable[[Any, User], Q]]] = {
    "kind": lambda value, user: Q(kind__in=value),
    "case": lambda value, user: Q(case__reference=value),
    "severity": lambda value, user: Q(case__severity__in=value),
    "phase": lambda value, user: Q(case__phase__in=value),
    "status": lambda value, user: Q(status=value),
    "owner": _owner,
    "tag": lambda value, user: Q(case__in=CaseTag.objects.filter(name=value).values("case")),
    "before": lambda value, user: Q(at__lt=value),
    "after": lambda value, user: Q(at__gte=value),
    "is": _is,
    "has": _has,
}


def entries(user: User, tree: Node, source: Source, visible: QuerySet[Any], way: Way) -> QuerySet[SearchEntry]:
    """The entries of one kind that the tree asks for, in the cases `visible`, newest first: access is in the query."""
    if way is Way.WALK:
        found = SearchEntry.objects.filter(condition(tree, user), kind=source.kind)
    else:
        found = SearchEntry.objects.filter(condition(_marked(tree, source.kind), user))
    found = found.filter(case=None) if source.shared else found.filter(case__in=visible)
    return found.order_by("-at", "-id")


_FEW: Final = 300


def _ways(tree: Node, kinds: Iterable[Source]) -> dict[str, Way]:
    """The way of each kind. PostgreSQL knows how common a token is, not how common it is within a kind: so it is asked,
    for at most `_FEW` of each, in one query."""
    asked = _texts_of(tree)
    names = [source.kind for source in kinds]
    if connection.vendor != "postgresql" or asked is None:
        way = Way.WALK if asked is None else Way.LIST
        return dict.fromkeys(names, way)
    one = "(SELECT %s, count(*) FROM (SELECT 1 FROM ircase_searchentry WHERE words @@ %s::tsquery LIMIT %s) few)"
    values = [(name, AllOf((Term((f"kind={name}",)), asked)).tsquery(), _FEW) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(values)), [value for row in values for value in row])
        counted = dict(cursor.fetchall())
    return {name: _way(counted[name]) for name in names}


def _way(many: int) -> Way:
    return Way.NONE if many == 0 else Way.LIST if many < _FEW else Way.WALK


def _texts_of(tree: Node) -> Expression | None:
    """What every find must hold of tokens; None where nothing is asked of them."""
    whole = _expression(tree)
    if whole is not None or not isinstance(tree, All):
        return whole
    parts = tuple(part for one in tree.parts if (part := _texts_of(one)) is not None)
    return _all(parts) if parts else None


def _marked(tree: Node, kind: str) -> Node:
    """With the kind as a token."""
    mark = Text(Term((f"kind={kind}",)))
    return All((mark, *tree.parts)) if isinstance(tree, All) else All((mark, tree))


def _visible(user: User) -> QuerySet[Any]:
    return Case.objects.visible_to(user).values("pk")


def best(user: User, query: Query) -> list[Group]:
    """The best of each kind, in the order of the page: what has the words in its title first, then the newest."""
    if query.tree is None:
        return []
    wanted = _wanted(query.tree)
    found = _newest(user, query.tree, [source for source in sources() if wanted is None or source.kind in wanted])
    chosen = {kind: _ranked(some, query.terms) for kind, some in found.items()}
    rows = _loaded(one.pk for some in chosen.values() for one in some)
    groups = []
    for source in sources():
        hits = tuple(hit(rows[one.pk], query.terms) for one in chosen.get(source.kind, ()) if one.pk in rows)
        if hits:
            groups.append(Group(source, hits, more=len(found[source.kind]) > len(hits)))
    return groups


def _wanted(tree: Node) -> tuple[str, ...] | None:
    """The kinds that a find can have; None: any."""
    if isinstance(tree, Field) and tree.name == "kind":
        return tuple(tree.value)
    if isinstance(tree, All):
        return next((found for part in tree.parts if (found := _wanted(part)) is not None), None)
    return None


@dataclass(frozen=True)
class _Candidate:
    pk: int
    kind: str
    subject: Any
    title: str
    at: datetime


def _newest(user: User, tree: Node, kinds: list[Source]) -> dict[str, list[_Candidate]]:
    """The newest of each kind, all kinds in one query."""
    fields = ("pk", "kind", "subject", "title", "at")
    # By way of the keys: SQLite takes no LIMIT in the parts of a union.
    visible, ways = _visible(user), _ways(tree, kinds)
    newest = [
        entries(user, tree, source, visible, ways[source.kind]).values("pk")[:_LOOKED_AT]
        for source in kinds
        if ways[source.kind] is not Way.NONE
    ]
    each = [SearchEntry.objects.filter(pk__in=keys).order_by().values_list(*fields) for keys in newest]
    found: dict[str, list[_Candidate]] = {}
    seen: set[tuple[str, Any]] = set()
    for row in (each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]) if each else ():
        one = _Candidate(*row)
        if (one.kind, one.subject) not in seen:
            seen.add((one.kind, one.subject))
            found.setdefault(one.kind, []).append(one)
    return found


def _ranked(some: list[_Candidate], terms: tuple[Term, ...]) -> list[_Candidate]:
    def key(one: _Candidate) -> tuple[int, datetime]:
        held = " ".join(words.atoms(one.title))
        return sum(" ".join(term.tokens) in held for term in terms), one.at

    return sorted(some, key=key, reverse=True)[:SHOWN]


def _loaded(pks: Iterable[int]) -> dict[int, SearchEntry]:
    rows = SearchEntry.objects.filter(pk__in=list(pks)).select_related("case").defer("words")
    return {row.pk: row for row in rows}


def hit(entry: SearchEntry, terms: tuple[Term, ...]) -> Hit:
    source = source_of(entry.kind)
    assert source is not None
    return Hit(entry, source, source.url(entry), pieces(entry.title, terms, around=0), pieces(entry.body, terms))


def page(user: User, query: Query, source: Source, after: str = "") -> Page:
    """One kind, a page at a time, by key: the tenth page costs what the first does."""
    assert query.tree is not None
    found = entries(user, query.tree, source, _visible(user), _ways(query.tree, [source])[source.kind])
    count = found.order_by()[: MOST_COUNTED + 1].count()
    rows = list(_below(found, after).select_related("case").defer("words")[: PER_PAGE + 1])
    last = rows[PER_PAGE - 1] if len(rows) > PER_PAGE else None
    return Page(
        source,
        tuple(hit(row, query.terms) for row in rows[:PER_PAGE]),
        f"{last.at.isoformat()}_{last.pk}" if last else "",
        count,
    )


def _below(found: QuerySet[SearchEntry], after: str) -> QuerySet[SearchEntry]:
    at, _, pk = after.rpartition("_")
    try:
        moment, number = datetime.fromisoformat(at), int(pk)
    except ValueError:
        return found
    if not timezone.is_aware(moment) or abs(number) > 2**62:
        return found
    return found.filter(Q(at__lt=moment) | Q(at=moment, id__lt=number))


def looser(query: Query) -> Query | None:
    """The same with every word as a beginning; None where it is so already, or holds no text."""
    if query.tree is None or all(term.prefix for term in query.terms):
        return None
    return replace(query, tree=_begun(query.tree))


def _begun(node: Node) -> Node:
    if isinstance(node, Text) and len(node.term.tokens[-1]) >= 2:
        return Text(replace(node.term, prefix=True))
    if isinstance(node, All | Any_):
        return type(node)(tuple(_begun(part) for part in node.parts))
    return node


def parts_of_titles(user: User, text: str, terms: tuple[Term, ...]) -> list[Hit]:
    """Titles that hold `text` somewhere, inside words too: the last resort, over what people wrote."""
    found = SearchEntry.objects.filter(title__icontains=text, case__in=_visible(user)).exclude(kind__in=_BULKY)
    rows = found.select_related("case").defer("words").order_by("-at", "-id")[:PER_PAGE]
    return [hit(row, terms) for row in rows if source_of(row.kind)]
