"""Indicators as people pass them on: defanged, so that nothing in a mail or a chat makes a link of them."""

from ircase.models import Indicator

_LIVE = (Indicator.Kind.IP, Indicator.Kind.DOMAIN, Indicator.Kind.URL, Indicator.Kind.EMAIL)


def defanged(kind: str, value: str) -> str:
    """`203[.]0[.]113[.]7`, `hxxps://example[.]com/`; what cannot be clicked stays as it is."""
    if kind not in _LIVE:
        return value
    if kind == Indicator.Kind.URL and value.lower().startswith("http"):
        value = f"hxxp{value[4:]}"
    return value.replace(".", "[.]")
