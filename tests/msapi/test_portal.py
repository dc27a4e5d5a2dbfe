"""Links into the portal and back."""

import base64
import random
import zlib
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi.errors import InvalidParameter
from msapi.portal import LONGEST_LINK, alert_link, device_link, hunting_link, incident_link, query_of_link

DEVICE = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"


def test_pages() -> None:
    assert incident_link("2972395", "b3c1") == "https://security.microsoft.com/incidents/2972395?tid=b3c1"
    assert alert_link("da63/x") == "https://security.microsoft.com/alerts/da63%2Fx"
    assert device_link(DEVICE.upper()) == f"https://security.microsoft.com/machines/{DEVICE}/overview"
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert device_link(DEVICE, start=start, end=end) == (
        f"https://security.microsoft.com/machines/{DEVICE}/timeline"
        "?from=2026-01-01T00:00:00.000Z&to=2026-01-02T03:04:05.000Z"
    )


def test_the_encoding_of_the_hunting_editor() -> None:
    # KQL as UTF-16LE, gzip with time 0, URL-safe base64: decoded here step by step, by other means.
    link = hunting_link("A | take 1") or ""
    packed = link.split("query=")[1].split("&")[0]
    assert not set(packed) & set("+/=")
    raw = base64.b64decode(packed.replace("-", "+").replace("_", "/") + "=" * (-len(packed) % 4))
    assert zlib.decompress(raw, 31) == b"A\x00 \x00|\x00 \x00t\x00a\x00k\x00e\x00 \x001\x00"
    assert link.endswith("&timeRangeId=week")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500),
    st.sampled_from(["day", "week", "month"]),
)
def test_round_trip(kql: str, time_range: str) -> None:
    link = hunting_link(kql, "tenant", time_range)
    assert link is not None and query_of_link(link) == kql


def test_a_link_too_long_is_none() -> None:
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    assert hunting_link(noise) is None
    assert len(hunting_link("where x " * 500) or "") < LONGEST_LINK


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://x/?query=%00",
        "https://x/?query=AAAA",
        "https://x/?q=1",
        "http://[",
        "https://x/?query=H4sIAAAAAAAA",
    ],
)
def test_links_without_a_query(link: str) -> None:
    with pytest.raises(InvalidParameter):
        query_of_link(link)


@given(st.text(max_size=60))
def test_any_query_text(packed: str) -> None:
    with suppress(InvalidParameter):
        assert isinstance(query_of_link(f"https://x/?query={packed}"), str)


def test_what_no_link_is_made_of() -> None:
    naive = datetime(2026, 1, 1)
    calls = (
        lambda: incident_link("1/../x"),
        lambda: device_link("x"),
        lambda: hunting_link("T", time_range="year"),
        lambda: hunting_link("\ud800"),
        lambda: device_link(DEVICE, start=naive, end=naive),
    )
    for call in calls:
        with pytest.raises(InvalidParameter):
            call()


def test_the_portal_of_a_sovereign_cloud() -> None:
    link = hunting_link("DeviceInfo", portal="https://security.microsoft.us/")
    assert link is not None and link.startswith("https://security.microsoft.us/v2/advanced-hunting?")
