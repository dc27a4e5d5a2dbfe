"""Indicators out of a pasted text."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from ircase.indicators.extract import MOST_LETTERS, extract
from ircase.models import Indicator
from ircase.services.analysis.findings import normalise

REPORT = r"""
The mail from billing(at)invoices-update[.]example pointed to hxxps://cdn[.]evil-update[.]example/a/b.php?id=7, which
resolves to 203[.]0[.]113[.]77 and 2001:db8::bad (AS64501). The loader C:\Users\Public\One Drive\upd.exe
(SHA256: 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08) wrote
HKCU\Software\Microsoft\Windows\CurrentVersion\Run\OneDrive Sync and held the mutex Global\a1b2-c3d4.
It called itself "Mozilla/5.0 (Windows NT 10.0; Win64; x64) upd/1.2" and also asked evil-update dot example
evil-update[dot]example, EVIL-UPDATE[.]EXAMPLE. The dropper was invoice.docm.
We saw node.js, e.g. in logs. Done.Then ok.
"""


def test_a_report_gives_what_is_in_it_once_and_whole() -> None:
    found = {(one.kind, one.value): one.times for one in extract(REPORT)}
    assert found == {
        ("registry", r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run\OneDrive Sync"): 1,
        ("mutex", r"Global\a1b2-c3d4"): 1,
        ("file_path", r"C:\Users\Public\One Drive\upd.exe"): 1,
        ("user_agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) upd/1.2"): 1,
        ("asn", "AS64501"): 1,
        ("email", "billing@invoices-update.example"): 1,
        ("url", "https://cdn.evil-update.example/a/b.php?id=7"): 1,
        ("ip", "203.0.113.77"): 1,
        ("ip", "2001:db8::bad"): 1,
        ("sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"): 1,
        ("domain", "evil-update.example"): 2,
        ("file_name", "invoice.docm"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("hxxp[://]evil[.]example/x", "url", "http://evil.example/x"),
        ("hXXps://evil(.)example", "url", "https://evil.example"),
        ("evil{.}example", "domain", "evil.example"),
        ("198.51.100[.]7", "ip", "198.51.100.7"),
        ("(evil.example)", "domain", "evil.example"),
        ("ann[at]evil[dot]example", "email", "ann@evil.example"),
        ("md5=d41d8cd98f00b204e9800998ecf8427e", "md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("dropper.ps1", "file_name", "dropper.ps1"),
        ("invoice.doc", "file_name", "invoice.doc"),
        ("gate.php", "file_name", "gate.php"),
        ("203[.]0[.]113[.]9:4443", "ip", "203.0.113.9"),
        ("evil[.]example:8080", "domain", "evil.example"),
        ("[2001:db8::9]:443", "ip", "2001:db8::9"),
        ("tcp://203.0.113.9:443", "ip", "203.0.113.9"),
        ("evil[.]example/gate.php?id=1", "domain", "evil.example"),
        ("203.0.113.9/a.ps1", "ip", "203.0.113.9"),
        ("URL:hxxp://evil[.]example/x", "url", "http://evil.example/x"),
        ("MD5:d41d8cd98f00b204e9800998ecf8427e", "md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("Domain:evil.example:443", "domain", "evil.example"),
        ("mailto:ann@evil.example", "email", "ann@evil.example"),
        ("[the page](https://evil.example/a)", "url", "https://evil.example/a"),
        (r'{"u":"https:\/\/evil.example\/x"}', "url", "https://evil.example/x"),
    ],
)
def test_spellings(written: str, kind: str, value: str) -> None:
    assert [(one.kind, one.value) for one in extract(f"see {written}, please")] == [(kind, value)]


@pytest.mark.parametrize(
    "written", ["203.0.113.0/24", "2001:db8::/32", "and/or", "TCP/IP", "text/html", "at 12:30:45", "10.0.19045.3803/x"]
)
def test_what_is_none(written: str) -> None:
    assert extract(f"see {written}, please") == []


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="450,000"):
        extract("x" * (MOST_LETTERS + 1))


@given(st.text(max_size=400))
def test_any_text_gives_indicators_that_can_be_kept(text: str) -> None:
    for one in extract(text):
        assert one.kind in Indicator.Kind.values
        assert normalise(one.kind, one.value) == one.value


@pytest.mark.parametrize("piece", ["a.", "[.]", "hxxp://", "C:\\a", "HKLM\\", "@", "1.", "Mozilla/5.0 (", "((("])
def test_long_repetitions_are_worked_through(piece: str) -> None:
    assert len(extract(piece * (MOST_LETTERS // len(piece)))) <= 5_000
