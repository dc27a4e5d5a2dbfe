"""Where a request comes from, and by what: the address behind our own proxies, and the browser in words."""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final

from django.conf import settings
from django.http import HttpRequest

# Names that browsers give themselves, the most particular first: all of them also say Safari or Chrome.
_BROWSERS: Final = (
    ("Edge", re.compile(r"\bEdgA?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)[\d.]* (?:Mobile/\w+ )?Safari/")),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows NT", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def address_of(request: HttpRequest) -> str:
    """The client's address: the peer's, or, behind IRCASE_PROXY_HOPS proxies of ours, what the outermost of them saw.
    Whatever a client writes into X-Forwarded-For itself stands further to the left and is not read."""
    hops = settings.PROXY_HOPS
    named = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    found = named[-hops] if hops and len(named) >= hops else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(found))
    except ValueError:
        return ""


def is_inside(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; an unknown one lies in none. An empty list is everywhere."""
    if not networks:
        return True
    try:
        wanted = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(wanted, "ipv4_mapped", None) or wanted
    return any(mapped in ip_network(one, strict=False) for one in networks)


def device_of(request: HttpRequest) -> str:
    """The browser and its system, as in "Firefox 140 on Windows"; what cannot be told is said so."""
    agent = request.META.get("HTTP_USER_AGENT", "")[:400]
    browser = next((f"{name} {found[1]}" for name, look in _BROWSERS if (found := look.search(agent))), "")
    system = next((words for mark, words in _SYSTEMS if mark in agent), "")
    if browser or system:
        return f"{browser or 'A browser'} on {system or 'an unknown system'}"
    return "An unknown program"
