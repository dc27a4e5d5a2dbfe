"""The grid's address: which page, which conditions, and the same without one of them."""

from collections.abc import Sequence

from django.http import HttpRequest

from ircase.grid import Filter


def page_number(text: str) -> int:
    """A page from outside; 1 for anything that is none."""
    return min(max(int(text), 1), 10**7) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def chips(request: HttpRequest, filters: Sequence[Filter]) -> list[dict[str, str]]:
    """Each condition in words, with the address without it."""
    found = []
    for place, wanted in enumerate(filters):
        query = request.GET.copy()
        query.pop("page", None)
        for key in ("c", "o", "v"):
            values = query.getlist(key)
            query.setlist(key, values[:place] + values[place + 1 :])
        words = f"{wanted.column} {wanted.operator} {wanted.text}".strip()
        found.append({"text": words, "url": f"?{query.urlencode()}"})
    return found
