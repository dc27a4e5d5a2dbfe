"""Asking the index: a query's tree as a condition of the database, and what it finds of what a person may see."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
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
# The ids of all entries of a kind that hold the texts of a question; None where they are many, or not known.
Holding = Sequence[int] | None
_FEW: Final = 300
_FEW_BULKY: Final = 2000  # walking down to twenty of these among a million takes longer than listing them


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


# By whether a kind is everybody's: the entries within somebody's reach. Access is in every question that begins here.
Reach = Mapping[bool, QuerySet[SearchEntry]]


def reach(user: User) -> Reach:
    visible = Case.objects.visible_to(user).values("pk")
    return {False: SearchEntry.objects.filter(case__in=visible), True: SearchEntry.objects.filter(case=None)}


def entries(user: User, tree: Node, source: Source, within: Reach, holding: Holding) -> QuerySet[SearchEntry]:
    """The entries of one kind that the tree asks for, newest first."""
    if holding is None:
        found = within[source.shared].filter(_of_kind(tree, source.kind, user))
    else:
        found = within[source.shared].filter(_beyond(tree, user), pk__in=holding)
    return found.order_by("-at", "-id")


def _of_kind(tree: Node, kind: str, user: User) -> Q:
    """On SQLite the kind is one of the tokens, so that the index joins the lists. PostgreSQL walks down from the newest
    of the kind where there are many, or takes its index where a walk would be long."""
    if connection.vendor != "postgresql" and _texts_of(tree) is not None:
        return condition(_marked(tree, kind), user)
    return condition(tree, user) & Q(kind=kind)


def _holdings(tree: Node, kinds: Iterable[Source]) -> dict[str, Holding]:
    """PostgreSQL knows how common a token is, not how common it is within a kind: so each kind's own index is asked,
    all in one query. What is materialized is planned as if all of it were wanted, and read as far as it is: so it is
    the index that is read, and never the table in the hope of a find."""
    asked, names = _texts_of(tree), [source.kind for source in kinds]
    found: dict[str, Holding] = dict.fromkeys(names)
    if connection.vendor != "postgresql" or asked is None or not names:
        return found
    held = "SELECT id FROM ircase_searchentry WHERE words @@ %s::tsquery AND kind = %s"
    one = f"(SELECT %s, array_agg(id) FROM (WITH held AS MATERIALIZED ({held}) SELECT id FROM held LIMIT %s) few)"
    most = {name: _FEW_BULKY if name in _BULKY else _FEW for name in names}
    values = [value for name in names for value in (name, asked.tsquery(), name, most[name])]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(names)), values)
        listed = {name: tuple(ids or ()) for name, ids in cursor.fetchall()}
    return {name: listed[name] if len(listed[name]) < most[name] else None for name in names}


def _beyond(tree: Node, user: User) -> Q:
    """What the tree asks of entries that are known to hold its texts."""
    if _expression(tree) is not None:
        return Q()
    if not isinstance(tree, All):
        return condition(tree, user)
    return reduce(and_, (condition(part, user) for part in tree.parts if _expression(part) is None))


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
    within, holdings = reach(user), _holdings(tree, kinds)
    many = (source for source in kinds if holdings[source.kind] is None)
    parts = [_sliced(entries(user, tree, source, within, None)) for source in many]
    for shared in (False, True):
        ids = [pk for source in kinds if source.shared is shared for pk in holdings[source.kind] or ()]
        if ids:
            parts.append(_newest_of_each(within[shared].filter(_beyond(tree, user), pk__in=ids)))
    each = [part.values_list("pk", "kind", "subject", "title", "at") for part in parts]
    chosen: dict[str, list[_Candidate]] = {}
    seen: set[tuple[str, Any]] = set()
    for row in (each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]) if each else ():
        one = _Candidate(*row)
        if (one.kind, one.subject) not in seen:
            seen.add((one.kind, one.subject))
            chosen.setdefault(one.kind, []).append(one)
    return chosen


def _sliced(found: QuerySet[SearchEntry]) -> QuerySet[SearchEntry]:
    """The newest, as a part of a union. SQLite takes no LIMIT there, so by way of the keys."""
    if connection.features.supports_slicing_ordering_in_compound:
        return found[:_LOOKED_AT]
    return SearchEntry.objects.filter(pk__in=found.values("pk")[:_LOOKED_AT]).order_by()


def _newest_of_each(found: QuerySet[SearchEntry]) -> QuerySet[SearchEntry]:
    place = Window(RowNumber(), partition_by="kind", order_by=[F("at").desc(), F("id").desc()])
    return found.annotate(nth=place).filter(nth__lte=_LOOKED_AT).order_by()


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
    found = entries(user, query.tree, source, reach(user), _holdings(query.tree, [source])[source.kind])
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
    found = reach(user)[False].filter(title__icontains=text).exclude(kind__in=_BULKY)
    rows = found.select_related("case").defer("words").order_by("-at", "-id")[:PER_PAGE]
    return [hit(row, terms) for row in rows if source_of(row.kind)]
