"""Codes of others in words, as the case's pages show them; and the two answers of a tab's address."""

import pytest
from django.urls import reverse

from ircase import wording
from ircase.templatetags import case_tags
from tests.cast import CastTestCase


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("dfir-triage", "DFIR triage"),
        ("device-powershell", "Device PowerShell"),
        ("windows-security-events", "Windows security events"),
        ("get-file", "Get file"),
    ],
)
def test_ids(identifier: str, words: str) -> None:
    assert wording.id_words(identifier) == words


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("microsoftDefenderForEndpoint microsoftDefenderForEndpoint", "Microsoft Defender for Endpoint"),
        ("azureAdIdentityProtection antivirus", "Azure AD Identity Protection, Antivirus"),
        ("processEvidence", "Process evidence"),
        ("registry-run-keys", "Registry Run keys"),
        ("Told by the help desk, by phone", "Told by the help desk, by phone"),
        ("", ""),
    ],
)
def test_sources(source: str, words: str) -> None:
    assert wording.source_words(source) == words


def test_a_kind_of_tomorrow_stays_as_it_is() -> None:
    assert case_tags.kind_words("sha256") == "SHA-256"
    assert case_tags.kind_words("device") == "Device"
    assert case_tags.kind_words("hologram") == "hologram"


class TabTests(CastTestCase):
    def test_a_page_and_its_panel_are_told_apart_by_caches(self) -> None:
        self.sign_in(self.bob)
        address = reverse("ircase:timeline", args=[self.case.reference])
        page, panel = self.client.get(address), self.client.get(address, headers={"HX-Request": "true"})
        assert "<html" in page.content.decode()
        assert "<html" not in panel.content.decode()
        assert all("HX-Request" in answer["Vary"] for answer in (page, panel))
