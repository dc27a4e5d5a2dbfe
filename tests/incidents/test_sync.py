"""A case and its Defender incident tell each other what changed, and a person chooses where both did."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from ircase.intake import agreeing
from ircase.intake.agreeing import Step
from ircase.models import (
    CaseIncident,
    IncidentComment,
    JobState,
    LogEntry,
    Notice,
    SyncChange,
    SyncConflict,
    SyncField,
    SyncState,
)
from ircase.sentences import sentence_of
from ircase.services import cases
from ircase.services.casework import casemerging, mergedincidents
from ircase.services.incidents import incidentsync, merging
from msapi.errors import Ambiguous, Unavailable
from msapi.transport import Call
from tests.cast import make_case, make_connection
from tests.incidents.conftest import Desk

ALL = ("status", "assigned_to", "classification", "determination", "severity", "tags")


def held(desk: Desk, number: str, **more: object) -> object:
    desk.put(number, severity="high", **more)
    desk.poll()
    return desk.hold(number)


def test_nothing_is_sent_while_it_is_off(desk: Desk, number: str) -> None:
    held(desk, number)
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive")
    desk.settle()
    assert desk.there(number)["classification"] == "unknown"
    assert not SyncChange.objects.exists() and not SyncState.objects.exists()


def test_ours_goes_there(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync(*ALL)
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive", determination="malware")
    desk.settle()
    there = desk.there(number)
    assert there["status"] == "inProgress", "somebody works on it"
    assert there["assignedTo"] == "alice@contoso.com"
    assert (there["classification"], there["determination"]) == ("truePositive", "malware")
    sent = len([call for call in desk.transport.calls if call.method == "PATCH"])
    desk.settle()
    assert len([call for call in desk.transport.calls if call.method == "PATCH"]) == sent, "it does not swing"
    cases.close_case(case=desk.case, actor=desk.alice, reason="Done")
    desk.settle()
    assert desk.there(number)["status"] == "resolved"
    assert not SyncConflict.objects.exists()


def test_theirs_comes_here(desk: Desk, number: str) -> None:
    link = held(desk, number)
    desk.sync(*ALL)
    desk.settle()
    desk.patch(number, classification="falsePositive", severity="low", assignedTo="Dan@contoso.com", customTags=["vip"])
    desk.settle()
    desk.case.refresh_from_db()
    assert (desk.case.classification, desk.case.severity) == ("falsePositive", "low")
    state = SyncState.objects.get(link=link)
    assert (state.ours["assigned_to"], state.ours["tags"]) == ("dan@contoso.com", ["vip"])
    assert not SyncConflict.objects.exists()


def test_where_both_changed_a_person_chooses(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync("classification", "severity")
    desk.settle()
    for ours, theirs, choice in (("truePositive", "falsePositive", "theirs"), ("truePositive", "unknown", "ours")):
        cases.edit_case(case=desk.case, actor=desk.bob, classification=ours)
        desk.patch(number, classification=theirs)
        desk.settle()
        assert (desk.there(number)["classification"], desk.case.classification) == (theirs, ours), "nothing was lost"
        conflict = SyncConflict.objects.get(choice="")
        assert (conflict.ours, conflict.theirs) == (ours, theirs)
        assert Notice.objects.filter(person=desk.alice, subject=conflict.uuid).exists()
        incidentsync.choose(conflict=conflict, actor=desk.bob, choice=choice)
        desk.case.refresh_from_db()
        desk.settle()
        now = theirs if choice == "theirs" else ours
        assert desk.there(number)["classification"] == desk.case.classification == now
        with pytest.raises(ValidationError):
            incidentsync.choose(conflict=conflict, actor=desk.bob, choice="ours")
    assert not SyncConflict.objects.filter(choice="").exists()


def test_a_change_there_between_look_and_write_is_not_overwritten(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync("classification")
    desk.settle()
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive")
    desk.patch(number, classification="informationalExpectedActivity")
    desk.tick()  # no poll in between: only the worker's own reading can tell
    assert desk.there(number)["classification"] == "informationalExpectedActivity"
    change = SyncChange.objects.latest("pk")
    assert (change.state, SyncConflict.objects.get().theirs) == (JobState.CANCELLED, "informationalExpectedActivity")


def test_resolved_there_is_a_question_for_a_lead(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync("status")
    desk.settle()
    desk.patch(number, status="resolved")
    desk.settle()
    desk.case.refresh_from_db()
    assert desk.case.is_open, "no case is closed by a machine"
    conflict = SyncConflict.objects.get()
    with pytest.raises(PermissionDenied):
        incidentsync.choose(conflict=conflict, actor=desk.bob, choice="theirs")
    with pytest.raises(ValidationError, match="classification"):
        incidentsync.choose(conflict=conflict, actor=desk.alice, choice="theirs")
    cases.edit_case(case=desk.case, actor=desk.alice, classification="truePositive", severity="high")
    with pytest.raises(ValidationError, match="closed by two people"):
        incidentsync.choose(conflict=conflict, actor=desk.alice, choice="theirs")
    cases.edit_case(case=desk.case, actor=desk.alice, classification="falsePositive")
    incidentsync.choose(conflict=conflict, actor=desk.alice, choice="theirs")
    desk.case.refresh_from_db()
    assert not desk.case.is_open


def test_a_merged_duplicate_ends_nothing_there_and_the_other_case_speaks(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync(*ALL)
    into = make_case(desk.alice, title="The whole thing", connection=desk.connection)
    for case in (desk.case, into):
        cases.edit_case(case=case, actor=desk.alice, classification="truePositive")
    desk.settle()
    assert casemerging.plan(desk.case, into, desk.alice).new_incidents == 1
    made = casemerging.merge(case=desk.case, into=into, actor=desk.alice, reason="Same actor")
    said = sentence_of(LogEntry.objects.get(case=into, action="case.merged_in"))
    assert "1 incidents were new" in said.text
    desk.settle()
    there = desk.there(number)
    assert (there["status"], there["assignedTo"]) == ("inProgress", "alice@contoso.com"), "it goes on in the other case"
    (link,) = CaseIncident.objects.held().filter(case=into)
    assert (link.number, link.via, link.evidence) == (number, "merged", None)
    desk.patch(number, customTags=["again"])
    desk.settle()
    assert SyncState.objects.get(link=link).ours["tags"] == ["again"]
    casemerging.undo(made=made, actor=desk.alice, reason="Two actors")
    link.refresh_from_db()
    assert link.removed_reason == mergedincidents.UNDONE
    desk.settle()
    assert desk.there(number)["status"] == "inProgress"
    cases.close_case(case=desk.case, actor=desk.alice, reason="Done")
    desk.settle()
    assert desk.there(number)["status"] == "resolved"
    assert not SyncConflict.objects.filter(choice="").exists()


def test_a_merge_that_is_undone_leaves_the_incident_of_which_a_newer_version_was_taken(
    desk: Desk, number: str, client: Client
) -> None:
    held(desk, number)
    into = make_case(desk.alice, title="The whole thing", connection=desk.connection)
    cases.edit_case(case=into, actor=desk.alice, classification="truePositive")
    client.force_login(desk.alice)
    page = client.get(reverse("ircase:merge", args=[desk.case.reference]), {"into": into.reference}).content.decode()
    assert "1 incident comes along" in page
    made = casemerging.merge(case=desk.case, into=into, actor=desk.alice, reason="Same actor")
    desk.patch(number, customTags=["new"])
    desk.poll()
    link = CaseIncident.objects.held().get(case=into)
    assert client.get(reverse("ircase:case_incidents", args=[into.reference])).status_code == 200
    assert link.incoming is not None
    merging.merge(case=into, incident=link.incoming, actor=desk.alice)
    casemerging.undo(made=made, actor=desk.alice, reason="Two actors")
    assert CaseIncident.objects.held().filter(pk=link.pk).exists()


def test_a_merge_leaves_the_incident_of_another_tenant_with_the_duplicate(
    desk: Desk, number: str, client: Client
) -> None:
    held(desk, number)
    into = make_case(desk.alice, title="Elsewhere", connection=make_connection(name="Another tenant"))
    cases.edit_case(case=into, actor=desk.alice, classification="truePositive")
    client.force_login(desk.alice)
    page = client.get(reverse("ircase:merge", args=[desk.case.reference]), {"into": into.reference}).content.decode()
    assert "1 incident of another tenant stays here and ends with this case" in page
    made = casemerging.merge(case=desk.case, into=into, actor=desk.alice, reason="Same actor")
    assert not CaseIncident.objects.filter(case=into).exists()
    assert made.merge is not None and "incidents" not in made.merge


def test_of_two_cases_an_open_one_speaks_and_at_last_the_one_that_was_closed_last(desk: Desk, number: str) -> None:
    first = held(desk, number)
    desk.sync("status")
    other = make_case(desk.alice, title="Another", connection=desk.connection)
    for case in (desk.case, other):
        cases.edit_case(case=case, actor=desk.alice, classification="truePositive")
    second = merging.merge(case=other, incident=first.incoming, actor=desk.alice)  # type: ignore[attr-defined]
    desk.settle()
    assert [bool(incidentsync.sync_of(link)) for link in (first, second)] == [True, False]  # type: ignore[arg-type]
    cases.close_case(case=desk.case, actor=desk.alice, reason="Done")
    desk.settle()
    assert desk.there(number)["status"] == "inProgress"
    looks = SyncState.objects.get(link=first).looked_at
    desk.tick()
    assert SyncState.objects.get(link=first).looked_at == looks, "who does not speak is not looked at all the time"
    cases.close_case(case=other, actor=desk.alice, reason="Done")
    desk.settle()
    assert desk.there(number)["status"] == "resolved"


def test_a_confidential_case_says_nothing_until_its_lead_allows_it(desk: Desk, number: str) -> None:
    link = held(desk, number)
    desk.sync(*ALL, comments=True)
    cases.set_confidential(case=desk.case, actor=desk.alice, confidential=True, reason="x")
    link.refresh_from_db()  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="confidential"):
        incidentsync.comment(link=link, actor=desk.bob, text="hush")  # type: ignore[arg-type]
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive")
    desk.settle()
    assert (desk.there(number)["status"], desk.there(number)["assignedTo"]) == ("active", None)
    assert all(call.method == "GET" for call in desk.transport.calls)
    incidentsync.allow(case=desk.case, actor=desk.alice, allowed=True)
    SyncState.objects.update(looked_at=None)
    desk.settle()
    assert desk.there(number)["classification"] == "truePositive"


def test_a_change_that_waits_is_not_sent_once_the_case_is_confidential(desk: Desk, number: str) -> None:
    link = held(desk, number)
    desk.sync("classification", comments=True)
    desk.case.classification = "truePositive"
    desk.case.save()
    incidentsync.reconcile(link)  # type: ignore[arg-type]
    incidentsync.comment(link=link, actor=desk.bob, text="We look at it")  # type: ignore[arg-type]
    cases.set_confidential(case=desk.case, actor=desk.alice, confidential=True, reason="x")
    desk.tick()
    assert desk.there(number)["comments"] == []
    assert desk.there(number)["classification"] == "unknown"
    assert {row.state for row in IncidentComment.objects.all()} == {JobState.CANCELLED}


def test_comments_go_both_ways_once(desk: Desk, number: str) -> None:
    link = held(desk, number)
    desk.sync(comments=True)
    incidentsync.comment(link=link, actor=desk.bob, text="We look at it")  # type: ignore[arg-type]
    desk.settle()
    (there,) = desk.there(number)["comments"]
    assert there["comment"].endswith("Bob: We look at it")
    desk.tenant.graph("POST", f"/incidents/{number}/comments", json={"comment": "Thank you"})
    desk.patch(number, customTags=["x"])
    desk.settle()
    assert list(IncidentComment.objects.values_list("from_defender", "text", "state")) == [
        (False, "We look at it", "done"), (True, "Thank you", "done")]  # fmt: skip
    assert "commented on incident" in Notice.objects.get(code="comment").title
    assert len(desk.there(number)["comments"]) == 2


def test_a_doubtful_comment_is_looked_for_before_it_is_sent_again(desk: Desk, number: str) -> None:
    link = held(desk, number)
    desk.sync(comments=True)
    row = incidentsync.comment(link=link, actor=desk.bob, text="Once")  # type: ignore[arg-type]

    def vanish(call: Call) -> None:
        if call.method == "POST":
            desk.tenant.graph("POST", f"/incidents/{number}/comments", json=dict(call.body or {}))
            raise Ambiguous("The answer was lost.")

    desk.transport.before = vanish
    desk.tick()
    row.refresh_from_db()
    assert (row.state, row.reason) == (JobState.QUEUED, "The answer was lost.")
    IncidentComment.objects.update(not_before=None)
    desk.tick()
    row.refresh_from_db()
    assert row.state == JobState.DONE
    assert len(desk.there(number)["comments"]) == 1


def test_a_tenant_that_is_ill_is_asked_later_and_one_that_refuses_is_not(desk: Desk, number: str) -> None:
    held(desk, number)
    desk.sync("classification")
    desk.settle()
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive")

    def ill(call: Call) -> None:
        raise Unavailable("Graph is ill.", retry_after=90)

    desk.transport.before = ill
    desk.tick()
    change = SyncChange.objects.latest("pk")
    assert (change.state, change.attempt) == (JobState.QUEUED, 1)
    assert change.not_before is not None
    desk.transport.before = lambda call: None
    desk.transport.app = "ircase-readonly"
    SyncChange.objects.update(not_before=None)
    desk.tick()
    change.refresh_from_db()
    assert change.state == JobState.FAILED
    desk.tick()
    assert SyncChange.objects.filter(state__in=("queued", "running")).count() == 0, "not tried again at once"


def test_the_page_shows_both_sides_and_the_choice(desk: Desk, number: str, client: Client) -> None:
    link = held(desk, number)
    desk.sync(*ALL, comments=True)
    desk.settle()
    cases.edit_case(case=desk.case, actor=desk.bob, classification="truePositive")
    desk.patch(number, classification="falsePositive")
    desk.settle()
    client.force_login(desk.bob)
    url = reverse("ircase:case_incidents", args=[desk.case.reference])
    page = client.get(url).content.decode()
    assert "Changed on both sides" in page and "False positive" in page and "True positive" in page
    conflict = SyncConflict.objects.get()
    client.post(reverse("ircase:case_sync_choice", args=[desk.case.reference, conflict.uuid]), {"choice": "theirs"})
    desk.case.refresh_from_db()
    assert desk.case.classification == "falsePositive"
    tell = reverse("ircase:case_incident_tell", args=[desk.case.reference, link.uuid])  # type: ignore[attr-defined]
    client.post(tell, {"action": "comment", "text": "From the page"})
    client.post(tell, {"action": "assign", "to": "Eve@contoso.com"})
    desk.settle()
    assert desk.there(number)["assignedTo"] == "eve@contoso.com"
    assert "From the page" in desk.there(number)["comments"][0]["comment"]


values = st.sampled_from([None, "unknown", "truePositive", "falsePositive"])


@given(base=values, ours=values.filter(bool), theirs=values.filter(bool))
def test_what_only_one_side_changed_is_never_lost(base: str | None, ours: str, theirs: str) -> None:
    step = agreeing.decide(SyncField.CLASSIFICATION, base, ours, theirs)
    if ours == theirs:
        assert step is Step.AGREE
    elif base is not None and ours not in (base, theirs) and theirs != base:
        assert step is Step.CONFLICT
    elif base is not None:
        assert step is (Step.SEND if theirs == base else Step.TAKE)
