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


# Pages that ask again who somebody is, and what of them a token does (docs/api.md says why).
BY_TOKEN = {
    "administer": {"person", "person_active", "person_sessions", "teams", "team", "team_add", "team_remove",
                   "report_look"},
    "write": {"case_exports", "shares", "keeping"},
    "": {"person_new", "person_password", "person_factor", "person_token", "everyones_sessions", "team_gone",
         "signin_provider", "policies", "connection_new", "connection", "factor", "factor_codes",
         "factor_remove", "passkey_new", "passkey_remove", "person_passkey", "profile_token"},
}  # fmt: skip


def test_what_the_browser_asks_again_for_is_decided_for_tokens_too() -> None:
    asking = {name.split(":")[1].split("+")[0] for name, (_, one) in PAGES.items() if _asks(one.callback)}
    assert asking == set().union(*BY_TOKEN.values())
    groups = {page.split(":")[1].split("+")[0]: group for group in DOORS for page in group["pages"]}
    for scope, pages in BY_TOKEN.items():
        for page in pages:
            does = groups[page].get("does", [])
            assert bool(does) == bool(scope), page
            changing = {OPERATIONS[one]["x-scope"] for one in does if not one.startswith("GET")}
            assert scope in changing | {""}, page


def _asks(view: Any) -> bool:
    while view is not None:
        if getattr(view, "asks_again", False):
            return True
        view = getattr(view, "__wrapped__", None)
    return False
