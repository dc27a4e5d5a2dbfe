"""The checklist is true: every route and every fault stands in it, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from simulator.defender.routes import ROUTES
from simulator.faults import KINDS, STAMPS
from tests.journeys.test_liveresponse_faults import TROUBLES
from tests.simulator.checklist import PAGE, ROOT, SECTIONS, page, whole

# Of hunting, sign-in, Log Analytics, the cluster and time stamps.
ELSEWHERE = {"unknown_error", "cpu_quota", "token_life", "partial", "pascal_case", "id_token"} | STAMPS
ITEMS = [one for items in SECTIONS.values() for one in items]
PLACES = {place for one in ITEMS for place in one.where}
ROUTED = {f"{route.method} {route.path.removeprefix('/api')}" for route in ROUTES}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.simulator.checklist writes it anew"


def test_every_route_and_every_fault_is_in_it() -> None:
    assert not ROUTED - PLACES
    assert not KINDS - ELSEWHERE - PLACES


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_place_is_there(place: str) -> None:
    known = place in ROUTED | KINDS or "`" in place or (ROOT / place).is_file()
    assert known, place


@pytest.mark.parametrize("test", sorted({whole(test) for one in ITEMS for test in one.tests}))
def test_every_test_is_there(test: str) -> None:
    if ".py" not in test:
        assert test in TROUBLES
        return
    path, _, name = test.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not name or re.search(rf"def {name}\(", text), test


def test_every_trouble_is_in_it() -> None:
    assert not set(TROUBLES) - {test for one in ITEMS for test in one.tests}
