"""What of the browser the API can do: doors.yaml beside this file against both sides, and against the docs."""

from pathlib import Path
from typing import Any

import yaml

from tests.test_permissions import OPERATIONS, PAGES

HERE = Path(__file__).parent
DOORS: list[dict[str, Any]] = yaml.safe_load((HERE / "doors.yaml").read_text(encoding="utf-8"))
TEXT = (HERE.parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_page_stands_there_once() -> None:
    named = [page for group in DOORS for page in group["pages"]]
    assert sorted(named) == sorted(set(named)), "a page stands twice"
    assert set(PAGES) - set(named) == set(), "pages of which it is not said what the API does instead"
    assert set(named) - set(PAGES) == set(), "no such pages any more"


def test_every_operation_named_is_one() -> None:
    assert {one for group in DOORS for one in group.get("does", ())} - set(OPERATIONS) == set()


def test_each_has_operations_or_a_reason() -> None:
    assert [group["what"] for group in DOORS if bool(group.get("does")) == bool(group.get("why"))] == []


def test_the_docs_say_it() -> None:
    missing = [group["what"] for group in DOORS if group["what"].replace(" - ", ": ", 1) not in TEXT]
    assert missing == []
