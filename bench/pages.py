"""``python -m bench.pages --database URL``: what the pages of a large team's database take on the server.

Fills the database where it is empty (minutes; see bench.filling), then asks each page many times over, by the whole of
Django without a network, and prints the median, the 95th percentile and the number of queries. The database must be one
that nothing else needs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import django


@dataclass
class Counted:
    """The queries of one page."""

    many: int = 0
    slowest: float = 0.0
    text: str = ""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.perf_counter() - start
            self.many += 1
            if took > self.slowest:
                self.slowest, self.text = took, sql


@contextmanager
def counting() -> Iterator[Counted]:
    """Counts the queries within."""
    from django.db import connection

    counted = Counted()
    with connection.execute_wrapper(counted):
        yield counted


def main() -> None:
    """Fill where it is empty, measure, print."""
    asked = _arguments()
    folder = tempfile.TemporaryDirectory(prefix="ircase-bench-")
    os.environ.setdefault("IRCASE_DATA_DIR", folder.name)
    os.environ["DATABASE_URL"] = asked.database
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    _prepare(asked.cases)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    print(f"{'page':44} {'p50 ms':>8} {'p95 ms':>8} {'queries':>8}  slowest query ms")
    for name, urls, user in _pages():
        if not asked.only or asked.only in name:
            _measure(name, urls, user, asked.rounds, asked.sql)


def _prepare(cases: int) -> None:
    from django.core.management import call_command

    from bench.filling import Filler, Size
    from ircase.models import Case

    call_command("migrate", verbosity=0)
    if not Case.objects.exists():
        started = time.perf_counter()
        size = Size(cases=cases, log=100 * cases, evidence=20 * cases)
        Filler(size, lambda text: print(text, file=sys.stderr, flush=True)).fill()
        print(f"filled in {time.perf_counter() - started:.0f} s")


def _pages() -> Iterator[tuple[str, list[str], Any]]:
    """(name, addresses to take turns, who asks)."""
    from django.urls import reverse

    from artifacts.looks import shapes
    from ircase.models import Case, Evidence, Handling, User
    from ircase.pages import TABS

    analyst = User.objects.get(username="analyst0")
    manager, guest = User.objects.get(username="manager30"), User.objects.get(username="guest35")
    open_cases = list(
        Case.objects.filter(confidential=False, closed_at=None, members__user=analyst).order_by("pk")[:20]
    )
    long_case = Case.objects.filter(confidential=False).latest("opened_at")
    listed = reverse("ircase:case_list")
    yield "my work", [reverse("ircase:my_work")], analyst
    yield "case list", [listed], analyst
    yield "case list: all, sorted by due", [f"{listed}?state=all&sort=due"], analyst
    yield "case list: words, severity", [f"{listed}?state=all&q=phishing&severity=high"], analyst
    yield "case list: tag, owner", [f"{listed}?state=all&tag=vip&owner=analyst3"], analyst
    yield "dashboard", [reverse("ircase:dashboard")], manager
    yield "incidents", [reverse("ircase:intake")], analyst
    for tab, label, name in TABS:
        yield f"case: {label}", [reverse(name, args=[case.reference]) for case in open_cases], analyst
        if tab == "log":
            yield "case: Log of 20,000 entries", [reverse(name, args=[long_case.reference])], analyst
    exhibits = Evidence.objects.filter(case__in=open_cases).select_related("case").order_by("pk")[:20]
    # The bytes of a bench's exhibits are not there to be looked at: they were, when they were sealed.
    Handling.objects.bulk_create(
        (Handling(evidence=one, form="text", version=shapes.VERSION) for one in exhibits), ignore_conflicts=True
    )
    yield "exhibit", [reverse("ircase:evidence_item", args=[one.case.reference, one.uuid]) for one in exhibits], analyst
    search = reverse("ircase:search")
    for text in SEARCHES:
        yield f"search: {text}", [f"{search}?q={text.replace(' ', '+')}"], analyst
    yield "search: one kind, common word", [f"{search}?q=ransomware&in=log"], analyst
    yield "search by a guest: phishing", [f"{search}?q=phishing"], guest
    yield "command palette", [f"{reverse('ircase:palette')}?q=phish"], analyst


SEARCHES = (
    "ransomware", "zzznothing", "ws-01234", "beacon token after:30d is:open", "kind:event technique:T1003 golden",
    '"lateral movement" severity:high', "example.com", "owner:analyst3 kind:note",
)  # fmt: skip


def _measure(name: str, urls: list[str], user: Any, rounds: int, sql: bool) -> None:
    from django.test import Client

    client = Client(HTTP_HOST="localhost")
    client.force_login(user)
    took, counts, slowest = [], [], Counted()
    for turn in range(rounds + 2):
        with counting() as counted:
            start = time.perf_counter()
            reply = client.get(urls[turn % len(urls)])
            spent = time.perf_counter() - start
        assert reply.status_code == 200, (name, reply.status_code)
        if turn >= 2:  # templates are compiled by then
            took.append(spent * 1000)
            counts.append(counted.many)
            slowest = max(slowest, counted, key=lambda one: one.slowest)
    took.sort()
    p95 = took[min(len(took) - 1, round(0.95 * len(took)))]
    late = " <-- " if p95 > 100 or max(counts) > 15 else ""
    print(
        f"{name:44} {statistics.median(took):8.1f} {p95:8.1f} {max(counts):8}  {slowest.slowest * 1000:.1f}{late}",
        flush=True,
    )
    if sql and late:
        print("    ", slowest.text[:3000])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=main.__doc__)
    parser.add_argument("--database", required=True, help="URL of a database of its own, PostgreSQL or SQLite")
    parser.add_argument("--cases", type=int, default=10_000, help="with 100 log entries and 20 exhibits each")
    parser.add_argument("--rounds", type=int, default=40, help="how often each page is asked")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    parser.add_argument("--sql", action="store_true", help="print the slowest query of what is late")
    return parser.parse_args()


if __name__ == "__main__":
    main()
