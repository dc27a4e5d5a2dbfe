"""The playbooks and the preparation list: sound, complete, and in NIST's numbers."""

import pytest
from django.test import TestCase

from ircase import catalogue
from ircase.models import Phase, PreparationItem
from ircase.nist import frameworks
from ircase.services.phases.preparation import load_preparation

PLAYBOOKS = catalogue.playbooks()
HUNTS = {
    *("device-malicious-activity", "device-inbound-connections", "file-activity", "registry-run-keys"),
    *("device-process-list", "device-powershell", "office-connections", "smb-connections", "device-logons"),
    *("lateral-movement", "lsass-access", "scheduled-tasks", "service-installs", "device-alerts", "account-sign-ins"),
    "mailbox-activity",
}
COLLECTIONS = {"dfir-triage", "windows-security-events", "get-file"}


def test_the_four_playbooks_are_there() -> None:
    assert set(PLAYBOOKS) == {"device-compromise", "account-compromise", "ransomware", "phishing"}


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_a_playbook_covers_the_phases_and_names_what_exists(name: str) -> None:
    playbook = PLAYBOOKS[name]
    words = frameworks()
    assert 12 <= len(playbook.items) <= 30
    assert {item.phase for item in playbook.items} == set(Phase) - {Phase.PREPARATION}
    assert {"Lead", "Scribe"} <= set(playbook.roles)
    assert set(playbook.packs) <= {"device-triage", "account-triage"}
    for item in playbook.items:
        assert item.r2 in words.steps, item.key
        assert item.csf in words.outcomes, item.key
        assert set(item.hunts) <= HUNTS, item.key
        assert set(item.collections) <= COLLECTIONS, item.key
    steps = {item.r2.split(".")[0] for item in playbook.items if item.required}
    assert {"1", "2", "3", "4", "5", "6", "7", "8"} <= steps, "a step of r2's table is not required anywhere"


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_an_item_belongs_to_the_phase_of_its_step(name: str) -> None:
    for item in PLAYBOOKS[name].items:
        step = float(item.r2.split(".")[0])
        phase = Phase.DETECTION if step <= 3 else Phase.CONTAINMENT if step <= 7 else Phase.POST_INCIDENT
        # Telling people (3) goes on through recovery; further hosts (6.3) are found while one still analyses.
        assert item.phase == phase or item.r2 in ("3", "6.3"), item.key


class PreparationTests(TestCase):
    def test_a_new_database_has_the_list_and_it_is_loaded_once(self) -> None:
        items = list(PreparationItem.objects.all())
        assert len(items) == 14
        assert all(item.csf_outcome in frameworks().outcomes for item in items)
        assert load_preparation() == 0
        PreparationItem.objects.exclude(pk=items[0].pk).delete()
        assert load_preparation() == 0, "an organisation's own list is not refilled"
        PreparationItem.objects.all().delete()
        assert load_preparation() == 14
