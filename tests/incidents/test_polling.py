"""Reading incidents from a tenant that changes meanwhile: no gap, no double, and nothing lost behind the edge."""

from datetime import timedelta
from unittest import mock

from django.utils import timezone

from ircase.intake import polling
from ircase.models import IncidentFeed, IncomingIncident, Notice
from msapi.transport import Call
from tests.incidents.conftest import Desk


def numbers() -> set[str]:
    return set(IncomingIncident.objects.values_list("incident_id", flat=True))


def fill(desk: Desk, count: int, *, same_time: bool = False) -> list[str]:
    """Incidents whose last updates lie a minute apart, or all at one moment."""
    began = timezone.now().replace(microsecond=0) - timedelta(hours=5)
    found = []
    for place in range(count):
        at = began if same_time else began + timedelta(minutes=place)
        number = str(70_000 + place)
        desk.put(number, lastUpdateDateTime=at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        found.append(number)
    return found


def test_an_incident_updated_during_paging_hides_no_other(desk: Desk) -> None:
    made = fill(desk, 23)
    updated = iter(made[:6])

    def change(call: Call) -> None:
        # Before every page but the first, somebody works on an incident that was read already: it moves to the end,
        # and by Graph's own counting links ($skip) the first of the next page would be passed over.
        if call.method == "GET" and len(desk.transport.calls) > 1 and (number := next(updated, None)):
            desk.tenant.graph("PATCH", f"/incidents/{number}", json={"status": "inProgress"})

    desk.transport.before = change
    seen = [(item.id, item.updated) for item in desk.graph.incidents(top=5, since="2020-01-01T00:00:00Z")]
    assert {number for number, _ in seen} >= set(made)
    assert len(seen) == len(set(seen)), "each version comes once"


def test_the_same_among_incidents_of_one_moment(desk: Desk) -> None:
    made = fill(desk, 23, same_time=True)
    updated = iter(made[:6])

    def change(call: Call) -> None:
        if call.method == "GET" and len(desk.transport.calls) > 1 and (number := next(updated, None)):
            desk.tenant.graph("PATCH", f"/incidents/{number}", json={"status": "inProgress"})

    desk.transport.before = change
    seen = [(item.id, item.updated) for item in desk.graph.incidents(top=5, since="2020-01-01T00:00:00Z")]
    assert {number for number, _ in seen} >= set(made)
    assert len(seen) == len(set(seen))


def test_graphs_links_would_have_lost_one(desk: Desk) -> None:
    """What the moving boundary is for: the same change, read by links."""
    made = fill(desk, 10)
    page = desk.tenant.graph(
        "GET", "/incidents?$orderby=lastUpdateDateTime asc&$top=5&$filter=lastUpdateDateTime ge 2020-01-01T00:00:00Z"
    ).json
    seen = [item["id"] for item in page["value"]]
    desk.tenant.graph("PATCH", f"/incidents/{made[0]}", json={"status": "inProgress"})
    link = page["@odata.nextLink"]
    while link:
        page = desk.tenant.graph("GET", link.split("/v1.0/security", 1)[1]).json
        seen += [item["id"] for item in page["value"]]
        link = page.get("@odata.nextLink")
    assert not set(seen) >= set(made)


def test_a_poll_that_is_disturbed_ends_complete(desk: Desk) -> None:
    made = fill(desk, 120)
    updated = iter(made)

    def change(call: Call) -> None:
        if call.method == "GET" and len(desk.transport.calls) in (2, 3):
            desk.tenant.graph("PATCH", f"/incidents/{next(updated)}", json={"status": "inProgress"})

    desk.transport.before = change
    feed = desk.poll()
    assert feed.problem == ""
    assert numbers() >= set(made)
    assert IncomingIncident.objects.get(incident_id=made[0]).status == "inProgress"


def test_a_claim_that_was_taken_over_is_left_alone(desk: Desk) -> None:
    fill(desk, 60)
    feed = polling.claim(desk.connection.pk)
    assert feed is not None
    other = timezone.now() + timedelta(seconds=1)
    IncidentFeed.objects.update(claimed_at=other)
    with mock.patch.object(polling, "_graph", desk.open):
        assert polling.sync(feed) == polling.PAGE
    kept = IncidentFeed.objects.get()
    assert (kept.claimed_at, kept.watermark) == (other, "")


def test_what_no_listing_shows_is_asked_for_by_itself(desk: Desk) -> None:
    desk.put("80001")
    desk.put("80002")
    desk.put("80003")
    desk.poll()
    link = desk.hold("80002")
    # Both fell behind: one was merged without its own time moving, one is gone.
    old = "2025-01-01T00:00:00Z"
    desk.put("80002", lastUpdateDateTime=old, status="redirected", redirectIncidentId="80001")
    desk.tenant.simulator.state.delete("incident", "80003")
    long_ago = timezone.now() - timedelta(days=2)
    IncomingIncident.objects.update(fetched_at=long_ago)
    IncidentFeed.objects.update(watermark=timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ"), claimed_at=None)
    IncomingIncident.objects.filter(incident_id="80001").update(fetched_at=timezone.now())
    desk.poll()
    row = IncomingIncident.objects.get(incident_id="80002")
    assert (row.status, row.redirect_id) == ("redirected", "80001")
    assert IncomingIncident.objects.get(incident_id="80003").gone_at is not None
    assert "into 80001" in Notice.objects.get(person=desk.alice, case=link.case).title


def test_a_reopened_incident_older_than_the_cursor_comes_back(desk: Desk) -> None:
    desk.put("80010", status="resolved", lastUpdateDateTime="2025-05-01T00:00:00Z")
    desk.put("80011")
    desk.poll()
    desk.patch("80010", status="active")
    desk.poll()
    found = IncomingIncident.objects.filter(incident_id="80010").first()
    assert found is not None and found.status == "active"
