"""The command palette: where one can go and what one can do from here, by words, without the mouse."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse

from ircase import access
from ircase.models import Case, CaseRole, SavedView, User
from ircase.pages import TABS
from ircase.search import words
from ircase.services import savedviews

MOST: Final = 8  # of each group
_ICON_OF_TAB: Final = "arrow-right"
# (label, URL name, icon, who): named, not imported, as the tabs of a case are.
_PAGES: Final = (
    ("My work", "ircase:my_work", "house", ""),
    ("Cases", "ircase:case_list", "briefcase", ""),
    ("Open a case", "ircase:case_new", "briefcase", "opens"),
    ("Incidents that wait", "ircase:intake", "siren", "opens"),
    ("Dashboard", "ircase:dashboard", "layout-dashboard", ""),
    ("Hunt library", "hunting:library", "crosshair", ""),
    ("Write a hunt", "hunting:hunt_new", "crosshair", "opens"),
    ("Watches", "hunting:my_watches", "eye", ""),
    ("Collections", "liveresponse:collection_library", "package", ""),
    ("Approvals", "ircase:approvals", "stamp", ""),
    ("Readiness", "ircase:readiness", "shield-check", "team"),
    ("Contacts and on-call", "ircase:contacts", "users", "team"),
    ("Exercises", "ircase:exercises", "flag", "team"),
    ("Retention", "ircase:retention", "archive", ""),
    ("Search", "ircase:search", "search", ""),
    ("Profile, time zone, API tokens", "ircase:profile", "user", ""),
    ("Administration", "ircase:administration", "settings", "administers"),
)
# (label, URL name that takes the case's reference, icon, what comes after the address): for who may write.
_ACTS: Final = (
    ("Run a hunt", "hunting:panel", "crosshair", ""),
    ("Run own KQL", "hunting:own_kql", "crosshair", ""),
    ("Write a note", "ircase:note_new", "message-square", ""),
    ("Add an event to the timeline", "ircase:event_new", "clock", ""),
    ("Add an asset or indicators", "ircase:entities", "flag", ""),
    ("Hand in evidence", "ircase:evidence", "upload", ""),
    ("Ask for a collection", "liveresponse:panel", "package", ""),
    ("Edit the case", "ircase:case_edit", "briefcase", ""),
    ("Build a report", "ircase:report", "file-text", ""),
)


@dataclass(frozen=True)
class Command:
    """One line: where it leads."""

    label: str
    url: str
    icon: str
    note: str = ""
    exercise: bool = False


@dataclass(frozen=True)
class Commands:
    """Lines under one title."""

    title: str
    lines: tuple[Command, ...]


def commands(user: User, text: str, reference: str = "") -> list[Commands]:
    """What fits `text`, with the case `reference` in view first; everything that is at hand where it is empty."""
    asked = words.atoms(text)
    case = Case.objects.visible_to(user).filter(reference=reference).first() if reference else None
    groups = [
        Commands(f"In {case.reference}" if case else "", _fitting(_of_case(case, asked) if case else (), asked)),
        Commands("Cases" if asked else "Your cases, changed last", tuple(_cases(user, text, asked))),
        Commands("Pages", _fitting(_pages(user), asked)),
        Commands("Saved views", _fitting(_views(user), asked)),
        Commands("Search", tuple(_search(text, case))),
    ]
    return [group for group in groups if group.lines]


def _fitting(lines: Iterable[Command], asked: list[str]) -> tuple[Command, ...]:
    """Lines of which some word begins with each that is asked for."""
    found = []
    for line in lines:
        held = words.atoms(f"{line.label} {line.note}")
        if all(any(word.startswith(one) for word in held) for one in asked):
            found.append(line)
    return tuple(found[: MOST if not asked else 2 * MOST])


def _cases(user: User, text: str, asked: list[str]) -> Iterator[Command]:
    found = Case.objects.visible_to(user)
    if asked:
        for word in text.split()[:8]:
            found = found.filter(title__icontains=word) | found.filter(reference__icontains=word)
    else:
        found = found.filter(members__user=user, closed_at=None)
    for case in found.order_by("-updated_at")[:MOST]:
        note = "" if case.is_open else "closed"
        yield Command(
            f"{case.reference} {case.title}",
            reverse("ircase:case", args=[case.reference]),
            "briefcase",
            note,
            case.exercise,
        )


def _of_case(case: Case, asked: list[str]) -> Iterator[Command]:
    if access.may(case, CaseRole.ANALYST) and case.is_open:
        for label, name, icon, _ in _ACTS:
            yield from _line(label, name, icon, case.reference)
    if asked:
        for _, label, name in TABS:
            yield from _line(label, name, _ICON_OF_TAB, case.reference)
        yield from _line("Super-timeline", "ircase:super_timeline", _ICON_OF_TAB, case.reference)


def _pages(user: User) -> Iterator[Command]:
    may = {"": True, "opens": user.opens_cases, "administers": user.administers,
           "team": user.reads_ordinary_cases or user.administers}  # fmt: skip
    for label, name, icon, who in _PAGES:
        if may[who]:
            yield from _line(label, name, icon)


def _line(label: str, name: str, icon: str, *args: str) -> Iterator[Command]:
    """The line, where the page is there: an app above may have none of that name."""
    try:
        yield Command(label, reverse(name, args=args), icon)
    except NoReverseMatch:
        return


def _views(user: User) -> Iterator[Command]:
    urls = {
        SavedView.Page.SEARCH.value: "ircase:search",
        SavedView.Page.CASES.value: "ircase:case_list",
        SavedView.Page.MY_WORK.value: "ircase:my_work",
    }
    found: QuerySet[Any] = savedviews.usable(user)
    for view in found.order_by("-pinned", "name")[:100]:
        yield Command(view.name, f"{reverse(urls[view.page])}?{view.asked}", "bookmark", view.get_page_display())


def _search(text: str, case: Case | None) -> Iterator[Command]:
    if not text:
        return
    url = reverse("ircase:search")
    if case is not None:
        yield Command(
            f"Find “{text}” in {case.reference}", f"{url}?{urlencode({'q': f'{text} case:{case.reference}'})}", "search"
        )
    yield Command(f"Find “{text}” everywhere", f"{url}?{urlencode({'q': text})}", "search")
