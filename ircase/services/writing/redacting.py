"""The mask of a case: its names, and the word that stands for each in every document."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

from django.db import transaction

from ircase.models import (
    Alias,
    Asset,
    Case,
    CaseMember,
    ChecklistItem,
    CustodyEntry,
    HandOver,
    Improvement,
    Indicator,
    LogEntry,
    Tlp,
    Transfer,
    User,
)
from ircase.redaction import Mask, Name, Redaction, RedactionError
from ircase.services import log

MOST_SUGGESTED = 8
LOGGED = 200
"""Characters of an indicator's value that the log keeps."""
_HOSTS = (Asset.Kind.DEVICE,)
_ACCOUNTS = (Asset.Kind.ACCOUNT, Asset.Kind.MAILBOX)
# Log entries that name a person who may never have done anything on the case, and the keys under which they do.
_NAMING = ("case.member", "case.member_removed", "checklist.planned", "checklist.given", "checklist.review")
_NAMED_BY = ("member", "owner", "reviewer")
# Names that every machine has, and words of our own pages: alone they name nobody.
_NOBODY = frozenset({
    "admin", "administrator", "root", "system", "guest", "user", "users", "public", "default", "defaultaccount",
    "localhost", "local", "service", "network", "lead", "leads", "analyst", "manager", "viewer", "team",
    "security", "incident", "response", "officer", "soc", "demo", "test", "the", "and"
})  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One line of the key to a case's masked documents."""

    alias: str
    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Entity:
    """`keys`: under which it has its alias, the surest first. `forms`: how it is written."""

    kind: str
    keys: tuple[str, ...]
    forms: tuple[str, ...]


class _Numbers:
    """The aliases of a case, in memory; `fresh` are those that were not there before."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.known: dict[tuple[str, str], int] = {}
        self.fresh: list[Alias] = []
        self.last: dict[str, int] = {}
        self._full: dict[tuple[str, int], str] = {}
        for kind, key, number in Alias.objects.filter(case=case).values_list("kind", "key", "number"):
            self._keep(kind, key, number)

    def of(self, kind: str, keys: Iterable[str], taken: frozenset[str] = frozenset()) -> int:
        """The number of what has these keys, the first being its full name; a new one where it has none."""
        wanted = [key.lower()[:320] for key in keys]
        number = self._number(kind, wanted)
        if number is None:
            number = self.last.get(kind, 0) + 1
            while f"{kind}-{number:02d}" in taken:  # a host that is itself called host-01
                number += 1
        for key in wanted:
            if (kind, key) not in self.known:
                self.fresh.append(Alias(case=self.case, kind=kind, key=key, number=number))
                self._keep(kind, key, number)
        return number

    def _number(self, kind: str, keys: list[str]) -> int | None:
        if (number := self.known.get((kind, keys[0]))) is not None:
            return number
        for key in keys[1:]:
            number = self.known.get((kind, key))
            # A short name is shared by two accounts of different domains: they are two.
            if number is not None and not ("@" in keys[0] and self._full.get((kind, number), keys[0]) != keys[0]):
                return number
        return None

    def _keep(self, kind: str, key: str, number: int) -> None:
        self.known[kind, key] = number
        self.last[kind] = max(self.last.get(kind, 0), number)
        if "@" in key:
            self._full.setdefault((kind, number), key)

    def save(self) -> None:
        Alias.objects.bulk_create(self.fresh, batch_size=500)
        self.fresh = []


@transaction.atomic
def mask_of(case: Case, redaction: Redaction) -> Mask:
    """The mask of `case` for a reader. Names that have no alias yet get one, theirs in every later document. What an
    indicator that is marked stricter than the reader may see says is masked wherever it stands: the log names it too.
    """
    withheld = tuple(_withheld(case, redaction))
    if not redaction.masks:
        return Mask(names=withheld)
    Case.objects.select_for_update().get(pk=case.pk)
    numbers = _Numbers(case)
    # Everything is numbered, whatever this reader's mask leaves out: who is host-01 does not hang on who asked first.
    entities = [*_findings(case), *_people(case)]
    taken = frozenset(form.lower() for entity in entities for form in entity.forms)
    names = [(one.kind, Name(f"{one.kind}-{numbers.of(one.kind, one.keys, taken):02d}", one.forms)) for one in entities]
    words = [Name(f"word-{numbers.of('word', (word,)):02d}", (word,)) for word in redaction.words]
    numbers.save()
    wanted = {"host": redaction.hosts, "account": redaction.accounts, "person": redaction.people}
    return Mask(
        names=(*(name for kind, name in names if wanted[kind]), *withheld, *_tenant(case)),
        words=tuple(words),
        addresses=redaction.addresses,
        number_of=cache(lambda address: _number_of_address(case, address)),
    )


def _tenant(case: Case) -> Iterator[Name]:
    """Its id, which stands in links and beside each hunt: whoever has it can ask Microsoft whose it is."""
    if case.connection is not None:
        yield Name("[tenant]", (case.connection.tenant_id,))


def _withheld(case: Case, redaction: Redaction) -> Iterator[Name]:
    """By marking: the values of the indicators that stay inside, as the case, its log and its people write them."""
    for tlp in (tlp for tlp in Tlp if not redaction.allows(tlp)):
        values = Indicator.objects.filter(case=case, tlp=tlp).order_by("pk").values_list("value", flat=True)
        if forms := tuple(form for value in values.iterator() for form in _as_written(value)):
            yield Name(f"[{tlp.label}]", forms)


def _as_written(value: str) -> Iterator[str]:
    """Whole, as far as the log keeps it, and defanged: each dot or the last alone in brackets."""
    for form in dict.fromkeys((value, value[:LOGGED])):
        for dotted in (form, form.replace(".", "[.]"), "[.]".join(form.rsplit(".", 1))):
            yield from (dotted, re.sub("^http", "hxxp", dotted))


def _number_of_address(case: Case, address: str) -> int:
    """Kept at once: an address is met while a text is masked."""
    found = Alias.objects.filter(case=case, kind="address", key=address).values_list("number", flat=True).first()
    if found is not None:
        return found
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        numbers = _Numbers(case)
        number = numbers.of("address", (address,))
        numbers.save()
    return number


def _findings(case: Case) -> Iterator[_Entity]:
    """Devices and accounts, in the order in which the case learnt of them."""
    rows = Asset.objects.filter(case=case, kind__in=(*_HOSTS, *_ACCOUNTS)).order_by("pk")
    for kind, name, identifier, details in rows.values_list("kind", "name", "identifier", "details").iterator():
        yield _host(name, identifier) if kind in _HOSTS else _account(name, identifier, _display_name(details))
    accounts = Indicator.objects.filter(case=case, kind=Indicator.Kind.ACCOUNT).order_by("pk")
    for value in accounts.values_list("value", flat=True).iterator():
        yield _account(value, "", "")


def _display_name(details: object) -> str:
    found = details.get("displayName") or details.get("accountDisplayName") if isinstance(details, dict) else ""
    return found if isinstance(found, str) else ""


def _host(name: str, identifier: str) -> _Entity:
    """Two DNS names with one first label are one machine, joined to its domain or not."""
    short = name if _is_address(name) else name.split(".")[0]
    return _Entity("host", (short or name,), tuple(form for form in (name, short, identifier) if _names(form)))


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _account(name: str, identifier: str, display: str) -> _Entity:
    bare = name.rpartition("\\")[2]
    local = bare.split("@")[0]
    folder = bare.replace("@", "_").replace(".", "_")  # as OneDrive and SharePoint write a UPN in an address
    keys = tuple(dict.fromkeys(key for key in (bare, local) if key)) or (name,)
    forms = (name, bare, folder, local, identifier, display)
    return _Entity("account", keys, tuple(form for form in forms if _names(form)))


def _people(case: Case) -> Iterator[_Entity]:
    """Who is on the case or was, who stands in its log and its custody, and whoever was given something of it, in the
    order of their accounts."""
    log_of = LogEntry.objects.filter(case=case).exclude(actor=None).order_by()
    custody = CustodyEntry.objects.filter(evidence__case=case).exclude(actor=None).order_by()
    members = CaseMember.objects.filter(case=case)
    ids = {*log_of.values_list("actor", flat=True).distinct(), *custody.values_list("actor", flat=True).distinct()}
    ids |= {*members.values_list("user", flat=True), case.opened_by_id, *_given(case), *_named_in_log(case)}
    former: dict[int, set[str]] = {}
    for actor, name in log_of.values_list("actor", "actor_name").distinct():
        former.setdefault(actor, set()).add(name)
    for user in User.objects.filter(pk__in=ids).order_by("pk"):
        yield _person(user, sorted(former.get(user.pk, ())))


def _given(case: Case) -> Iterator[int]:
    """Whom an item, an improvement, the case or an exhibit was given to: any colleague who may see the case."""
    mine = {"case": case}
    for rows, name in (
        (Improvement.objects.filter(**mine), "owner"),
        (ChecklistItem.objects.filter(**mine), "owner"),
        (ChecklistItem.objects.filter(**mine), "reviewer"),
        (HandOver.objects.filter(**mine), "receiver"),
        (Transfer.objects.filter(evidence__case=case), "receiver"),
    ):
        yield from rows.exclude(**{name: None}).order_by().values_list(name, flat=True).distinct()


def _named_in_log(case: Case) -> Iterator[int]:
    """Who was taken off the case, or an item was taken from: only the log knows of them still."""
    details = LogEntry.objects.filter(case=case, action__in=_NAMING).order_by().values_list("detail", flat=True)
    names = {str(detail[key]) for detail in details.iterator() for key in _NAMED_BY if detail.get(key)}
    yield from User.objects.filter(username__in=names).order_by().values_list("pk", flat=True)


def _person(user: User, former: Iterable[str]) -> _Entity:
    parts = (user.first_name, user.last_name, *user.first_name.split(), *user.last_name.split())
    forms = (user.get_full_name(), user.username, user.email, user.email.split("@")[0], *former, *parts)
    return _Entity("person", (f"#{user.pk}",), tuple(form for form in dict.fromkeys(forms) if _names(form)))


def _names(form: str) -> bool:
    return bool(form) and form.lower() not in _NOBODY


def suggested_words(case: Case) -> list[str]:
    """Words that give the organisation away, for a lead to choose from: the domains of its accounts and hosts."""
    names = (
        Asset.objects.filter(case=case, kind__in=(*_HOSTS, *_ACCOUNTS)).order_by("pk").values_list("name", flat=True)
    )
    domains = (name.split("@")[1] if "@" in name else name.partition(".")[2] for name in names[:1000])
    found = dict.fromkeys(domain.lower() for domain in domains if "." in domain)
    return [domain for domain in found if _can_be_masked(domain)][:MOST_SUGGESTED]


def _can_be_masked(word: str) -> bool:
    try:
        Redaction(words=(word,))
    except RedactionError:
        return False
    return True


def key_table(*, case: Case, actor: User) -> list[Key]:
    """Who is who in the case's masked documents. The caller has checked that `actor` leads the case; it is logged."""
    rows = Alias.objects.filter(case=case).values_list("kind", "number", "key")
    found: dict[tuple[str, int], list[str]] = {}
    for kind, number, key in rows:
        found.setdefault((kind, number), []).append(key)
    people = {f"#{user.pk}": user.name for user in User.objects.filter(pk__in=_ids(found))}
    log.record("redaction.key_read", case=case, actor=actor, names=len(found))
    return [
        Key(f"{kind}-{number:02d}", kind, tuple(people.get(key, key) for key in keys))
        for (kind, number), keys in found.items()
    ]


def _ids(found: dict[tuple[str, int], list[str]]) -> list[int]:
    return [int(key[1:]) for (kind, _), keys in found.items() if kind == "person" for key in keys]
