"""The support table is made from the code."""

from __future__ import annotations

from kql.document import PATH, text


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run `python -m kql.document`"
