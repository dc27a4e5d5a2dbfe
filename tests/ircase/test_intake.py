"""Incidents: read from the tenant, dismissed, or made a case with everything their alerts name."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as PropertyTestCase

from ircase.intake import polling
from ircase.models import Asset, Case, Event, Evidence, IncidentFeed, IncomingIncident, Indicator, LogEntry
from ircase.services import cases
from ircase.services.incidents import incident_facts, incidentkeeping
from ircase.services.incidents import intake as service
from ircase.tasks import sync_incidents
from msapi.errors import Forbidden
from msapi.incidents import Incident, read_incident
from tests.cast import CastTestCase, make_connection, make_user

PREFIX = "#microsoft.graph.security."
AT = "2026-02-13T08:43:35.5533333Z"
SHA256 = "a" * 64


def evidence(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@odata.type": PREFIX + kind, "createdDateTime": AT, "verdict": "suspicious", **fields}


EVIDENCE = [
    evidence("deviceEvidence", mdeDeviceId="dev1", deviceDnsName="WS-07.contoso.com", osPlatform="Windows11"),
    evidence(
        "userEvidence",
        userAccount={"accountName": "ann", "domainName": "contoso", "userPrincipalName": "Ann@contoso.com"},
    ),
    evidence(
        "fileEvidence", verdict="malicious", mdeDeviceId="dev1",
        fileDetails={"sha256": SHA256.upper(), "fileName": "loader.exe", "filePath": r"C:\Users\Public"},
    ),
    evidence(
        "processEvidence", mdeDeviceId="dev1", processId=4242, processCommandLine="powershell -enc AAAA",
        processCreationDateTime="2026-02-13T08:40:00Z", imageFile={"fileName": "powershell.exe", "sha256": "b" * 64},
        parentProcessImageFile={"fileName": "loader.exe"},
    ),
    evidence("ipEvidence", ipAddress="203.0.113.7", countryLetterCode="ZZ"),
    evidence("urlEvidence", url="https://evil.example/x"),
    evidence(
        "registryValueEvidence", mdeDeviceId="dev1", registryHive="HKEY_LOCAL_MACHINE",
        registryKey=r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run", registryValueName="Sync",
        registryValue="loader.exe",
    ),
    evidence("mailboxEvidence", primaryAddress="ann@contoso.com", displayName="Ann"),
    evidence(
        "analyzedMessageEvidence", networkMessageId="n1", subject="Invoice", senderIp="198.51.100.9",
        p2Sender={"emailAddress": "Boss@evil.example"}, recipientEmailAddress="ann@contoso.com",
        receivedDateTime="2026-02-13T08:00:00Z", urls=["https://evil.example/login"],
    ),
    evidence("quantumEvidence", colour="blue"),
]  # fmt: skip


def raw_incident(number: str = "2972395", **more: Any) -> dict[str, Any]:
    return {
        "id": number, "displayName": "Multi-stage incident on ws-07", "severity": "high", "status": "active",
        "createdDateTime": AT, "lastUpdateDateTime": "2026-02-14T09:35:45.1133333Z",
        "description": "Something happened",
        "incidentWebUrl": f"https://security.microsoft.com/incidents/{number}?tid=b3c1",
        "alerts": [
            {
                "id": "al-1", "title": "Suspicious PowerShell", "severity": "high", "createdDateTime": AT,
                "firstActivityDateTime": "2026-02-13T08:39:00Z", "mitreTechniques": ["nonsense", "T1059.001"],
                "serviceSource": "microsoftDefenderForEndpoint", "description": "Encoded", "evidence": EVIDENCE,
            }
        ],
        **more,
    }  # fmt: skip


class IntakeCase(CastTestCase):
    def keep(self, **more: Any) -> IncomingIncident:
        return incidentkeeping.keep_incident(connection=self.connection, incident=read_incident(raw_incident(**more)))


class AcceptTests(IntakeCase):
    def test_everything_that_the_alerts_name_comes_along(self) -> None:
        case, new = service.accept(incident=self.keep(), actor=self.bob, playbook="device-compromise")
        assert new
        assert (case.severity, case.connection, case.incident_id) == ("high", self.connection, "2972395")
        assert case.my_role == "lead"
        assert set(Asset.objects.filter(case=case).values_list("kind", "name", "identifier")) == {
            ("device", "ws-07.contoso.com", "dev1"),
            ("account", "ann@contoso.com", ""),
            ("mailbox", "ann@contoso.com", ""),
        }
        assert set(Indicator.objects.filter(case=case).values_list("kind", "value", "verdict")) == {
            ("sha256", SHA256, "malicious"),
            ("ip", "203.0.113.7", "suspicious"),
            ("url", "https://evil.example/x", "suspicious"),
            ("url", "https://evil.example/login", "suspicious"),
            ("registry", r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run", "suspicious"),
            ("email", "boss@evil.example", "suspicious"),
            ("ip", "198.51.100.9", "suspicious"),
        }
        titles = list(Event.objects.filter(case=case).values_list("title", "in_report"))
        assert titles == [
            ("Message “Invoice” from Boss@evil.example to ann@contoso.com", True),
            ("powershell.exe started by loader.exe", True),
            ("Alert: Suspicious PowerShell", True),
            (r"Registry: HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\Sync", True),
            ("Named by an alert: quantum", False),
        ]

    def test_where_it_came_from_is_kept_with_every_fact(self) -> None:
        case, _ = service.accept(incident=self.keep(), actor=self.bob)
        origin = {"incident": "2972395", "alert": "al-1", "link": str(case.incidents.get().uuid)}
        for rows in (case.assets, case.indicators, case.events):
            assert all(origin.items() <= row.provenance.items() for row in rows.all())
        process = case.events.get(source="processEvidence")
        assert process.row["processId"] == 4242
        assert process.technique == "T1059.001"
        assert [asset.name for asset in process.assets.all()] == ["ws-07.contoso.com"]
        assert case.events.get(source="quantumEvidence").row["colour"] == "blue"

    def test_times_and_the_sealed_incident(self) -> None:
        case, _ = service.accept(incident=self.keep(), actor=self.bob)
        when = dict(case.milestones.values_list("kind", "at"))
        assert when["occurred"] == datetime(2026, 2, 13, 8, 39, tzinfo=UTC)
        assert when["detected"].replace(microsecond=0) == datetime(2026, 2, 13, 8, 43, 35, tzinfo=UTC)
        exhibit = Evidence.objects.get(case=case)
        assert exhibit.kind == "incident"
        assert json.loads(exhibit.path.read_bytes()) == raw_incident()
        assert exhibit.path.read_bytes() == service.canonical(raw_incident())
        assert exhibit.manifest["tenant"] == self.connection.tenant_id
        entry = LogEntry.objects.get(case=case, action="incident.imported")
        assert (entry.detail["assets"], entry.detail["indicators"], entry.detail["events"]) == (3, 7, 5)

    def test_a_case_that_one_can_see_is_the_case(self) -> None:
        incident = self.keep()
        first, _ = service.accept(incident=incident, actor=self.alice)
        again, new = service.accept(incident=incident, actor=self.bob)
        assert (again.pk, new) == (first.pk, False)

    def test_a_case_that_one_cannot_see_is_not_betrayed(self) -> None:
        incident = self.keep()
        hidden, _ = service.accept(incident=incident, actor=self.alice, confidential=True)
        self.sign_in(self.bob)
        for url in (reverse("ircase:intake"), reverse("ircase:intake_item", args=[incident.pk])):
            assert hidden.reference not in self.client.get(url).content.decode()
        own, new = service.accept(incident=incident, actor=self.bob)
        assert new
        assert own.pk != hidden.pk

    def test_who_does_not_open_cases_has_no_inbox(self) -> None:
        incident = self.keep()
        for user in (self.carol, self.mallory, self.ada):
            with self.assertRaises(PermissionDenied):
                service.accept(incident=incident, actor=user)
        assert not Case.objects.filter(incident_id="2972395").exists()

    def test_a_merged_incident_names_the_one_it_went_into(self) -> None:
        with self.assertRaisesMessage(ValidationError, "into 77"):
            service.accept(incident=self.keep(redirectIncidentId="77", status="redirected"), actor=self.bob)

    def test_too_much_of_everything_is_kept_in_the_evidence_and_counted(self) -> None:
        many = [evidence("ipEvidence", ipAddress=f"10.1.{n // 250}.{n % 250}") for n in range(60)]
        alert = raw_incident()["alerts"][0] | {"evidence": many}
        with mock.patch.object(incident_facts, "MOST_ROWS", 20):
            case, _ = service.accept(incident=self.keep(alerts=[alert]), actor=self.bob)
        entry = LogEntry.objects.get(case=case, action="incident.imported")
        assert entry.detail["indicators"] == 19
        assert entry.detail["left_in_evidence"] == 41

    def test_hostile_values_stop_nothing(self) -> None:
        nasty = [
            evidence("deviceEvidence", deviceDnsName="x" * 4000, mdeDeviceId="y" * 4000),
            evidence("fileEvidence", fileDetails={"sha256": "not a hash", "fileName": "\x00<script>"}),
            evidence("urlEvidence", url="javascript:" + "a" * 5000),
            evidence(
                "processEvidence", processCommandLine="\x00" * 9, processCreationDateTime="9999-12-31T23:59:59-12:00"
            ),
            evidence("ipEvidence", ipAddress="\ud800"),
            evidence("userEvidence", userAccount={"userPrincipalName": "\udfff@x"}),
            {"@odata.type": 7, "createdDateTime": {}, "\ud800": "\x00"},
            {},
        ]
        alert = {"id": "\x00\ud800z", "evidence": nasty, "createdDateTime": "yesterday", "title": None}
        incident = self.keep(alerts=[alert], displayName="\x00" * 3, incidentWebUrl="javascript:alert(1)")
        case, _ = service.accept(incident=incident, actor=self.bob)
        assert case.incident_url == ""
        assert case.events.exists()

    def test_the_playbook_follows_what_most_alerts_are_about(self) -> None:
        on_device, on_mail, on_account = (
            {"id": "1", "evidence": [EVIDENCE[0], EVIDENCE[1]]},
            {"id": "2", "evidence": [EVIDENCE[8]]},
            {"id": "3", "evidence": [EVIDENCE[1], EVIDENCE[7]]},
        )
        for alerts, title, playbook in (
            ([on_device, on_device, on_mail], "x", "device-compromise"),
            ([on_mail, on_mail, on_device], "x", "phishing"),
            ([on_account], "x", "account-compromise"),
            ([], "x", "device-compromise"),
            ([on_mail], "Ransomware activity", "ransomware"),
        ):
            assert service.suggest_playbook(self.keep(alerts=alerts, displayName=title)) == playbook

    def test_a_time_ahead_is_a_wrong_clock(self) -> None:
        ahead = (timezone.now() + timedelta(days=3)).isoformat()
        alert = raw_incident()["alerts"][0] | {"createdDateTime": ahead, "firstActivityDateTime": ahead}
        case, _ = service.accept(incident=self.keep(alerts=[alert]), actor=self.bob)
        assert case.milestones.get(kind="detected").at <= timezone.now()
        assert not case.milestones.filter(kind="occurred").exists()


class AnyJsonTests(PropertyTestCase):
    """Whatever Graph sends, an incident is kept and can be made a case."""

    values = st.recursive(
        st.none() | st.booleans() | st.integers(-9, 10**15) | st.text(st.characters(), max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
    kinds = st.sampled_from([item["@odata.type"] for item in EVIDENCE])
    names = st.sampled_from(sorted({key for item in EVIDENCE for key in item} | {"evidence"}))
    items = st.builds(
        lambda kind, more: {**more, "@odata.type": kind}, kinds, st.dictionaries(names, values, max_size=6)
    )

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(items=st.lists(items, max_size=4), more=values)
    def test_any_json(self, items: list[dict[str, Any]], more: Any) -> None:
        user = make_user("ann", "analyst")
        alert = {"id": "1", "evidence": items, "title": more, "mitreTechniques": more, "createdDateTime": more}
        incident = read_incident(
            {"id": "5", "displayName": "x", "alerts": [alert], "description": more, "status": more}
        )
        row = incidentkeeping.keep_incident(connection=make_connection(), incident=incident)
        case, new = service.accept(incident=row, actor=user)
        assert new
        assert case.evidence.count() == 1


class SyncTests(IntakeCase):
    def reading(self, incidents: list[Incident]) -> Any:
        self.asked: list[str] = []

        def listing(_: Any, **kwargs: Any) -> Iterator[Incident]:
            self.asked.append(kwargs["since"])
            return iter(incidents)

        return mock.patch("ircase.intake.polling.GraphSecurity.incidents", listing)

    def test_a_reading_keeps_the_newest_version_and_what_people_decided(self) -> None:
        with self.reading([read_incident(raw_incident())]):
            sync_incidents(self.connection.pk)
        row = IncomingIncident.objects.get()
        service.dismiss(incident=row, actor=self.bob, reason="A drill")
        changed = raw_incident(displayName="Renamed", lastUpdateDateTime="2026-02-15T00:00:00Z")
        with self.reading([read_incident(changed)]):
            sync_incidents(self.connection.pk)
        row.refresh_from_db()
        assert (row.title, row.dismissed_reason) == ("Renamed", "A drill")
        assert (row.devices, row.accounts) == (["ws-07.contoso.com"], ["ann@contoso.com"])
        feed = IncidentFeed.objects.get()
        assert (feed.watermark, feed.claimed_at, feed.problem) == ("2026-02-15T00:00:00Z", None, "")

    def test_it_reads_from_a_little_before_the_watermark_and_once_a_day_all(self) -> None:
        recent = timezone.now().replace(microsecond=0) - timedelta(hours=5)
        stamp = recent.strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.reading([read_incident(raw_incident(lastUpdateDateTime=stamp))]):
            sync_incidents(self.connection.pk)
            sync_incidents(self.connection.pk)
            IncidentFeed.objects.update(reconciled_at=timezone.now() - timedelta(days=2))
            sync_incidents(self.connection.pk)
        first, second, third = (datetime.fromisoformat(text) for text in self.asked)
        assert second == recent - timedelta(minutes=10)
        assert timezone.now() - first > timedelta(days=29)
        assert timezone.now() - third > timedelta(days=29)

    def test_a_reading_that_was_cut_goes_on_where_it_stopped(self) -> None:
        first = timezone.now().replace(microsecond=0) - timedelta(days=2)
        rows = [
            read_incident(
                raw_incident(str(n), lastUpdateDateTime=(first + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%SZ"))
            )
            for n in range(4)
        ]
        with mock.patch.object(polling, "MOST_AT_ONCE", 3), self.reading(rows):
            sync_incidents(self.connection.pk)
            assert IncomingIncident.objects.count() == 3
            sync_incidents(self.connection.pk)
        assert datetime.fromisoformat(self.asked[1]) == first + timedelta(minutes=2)

    def test_a_failure_is_said_and_the_claim_is_given_back(self) -> None:
        refusal = Forbidden("The role SecurityIncident.Read.All is missing.", service="Microsoft Graph")
        with mock.patch("ircase.intake.polling.GraphSecurity.incidents", side_effect=refusal):
            sync_incidents(self.connection.pk)
        feed = IncidentFeed.objects.get()
        assert "SecurityIncident.Read.All" in feed.problem
        assert feed.claimed_at is None
        self.sign_in(self.bob)
        self.assertContains(self.client.get(reverse("ircase:intake")), "SecurityIncident.Read.All")

    def test_one_broken_incident_hides_no_other(self) -> None:
        deep: dict[str, Any] = {}
        for _ in range(3000):
            deep = {"x": deep}
        broken = read_incident(raw_incident("13", alerts=[], deep=deep))
        with self.reading([broken, read_incident(raw_incident())]):
            sync_incidents(self.connection.pk)
        assert list(IncomingIncident.objects.values_list("incident_id", flat=True)) == ["2972395"]
        assert "Incident 13 could not be read" in IncidentFeed.objects.get().problem

    def test_two_workers_do_not_read_at_once_and_a_dead_one_is_replaced(self) -> None:
        assert polling.claim(self.connection.pk) is not None
        assert polling.claim(self.connection.pk) is None
        IncidentFeed.objects.update(claimed_at=timezone.now() - polling.CLAIM_LASTS - timedelta(seconds=1))
        assert polling.claim(self.connection.pk) is not None
        assert polling.claim(999_999) is None

    def test_the_tick_nudges_what_is_due(self) -> None:
        with mock.patch("ircase.intake.polling.jobs.send") as send:
            assert polling.nudge() == 1
            send.assert_called_once_with("ircase.sync_incidents", self.connection.pk)
            IncidentFeed.objects.create(connection=self.connection, synced_at=timezone.now())
            assert polling.nudge() == 0


class IntakePagesTests(IntakeCase):
    def test_who_may(self) -> None:
        incident = self.keep()
        pages = (reverse("ircase:intake"), reverse("ircase:intake_item", args=[incident.pk]))
        for user, status in ((self.carol, 403), (self.mallory, 403), (self.ada, 403), (self.bob, 200)):
            self.sign_in(user)
            for url in pages:
                assert self.client.get(url).status_code == status
        self.sign_in(self.mallory)
        for url in (pages[1], reverse("ircase:intake_sync")):
            assert self.client.post(url, {"action": "accept", "title": "x", "tlp": "amber"}).status_code == 403

    def test_open_a_case_from_the_page(self) -> None:
        incident = self.keep()
        self.sign_in(self.bob)
        url = reverse("ircase:intake_item", args=[incident.pk])
        page = self.client.get(url)
        self.assertContains(page, "Suspicious PowerShell")
        self.assertContains(page, '<option value="device-compromise" selected>')
        assert self.client.post(url, {"action": "accept", "title": "", "tlp": "amber"}).status_code == 422
        reply = self.client.post(url, {"action": "accept", "title": "WS-07", "tlp": "red", "playbook": "phishing"})
        case = Case.objects.get(incident_id="2972395")
        assert reply.headers["Location"] == reverse("ircase:case", args=[case.reference])
        assert (case.title, case.tlp, case.playbook) == ("WS-07", "red", "phishing")
        self.assertContains(self.client.get(reverse("ircase:intake")), case.reference)

    def test_dismiss_and_take_back(self) -> None:
        incident = self.keep()
        self.sign_in(self.bob)
        url = reverse("ircase:intake_item", args=[incident.pk])
        assert self.client.post(url, {"action": "dismiss", "reason": ""}).status_code == 422
        self.client.post(url, {"action": "dismiss", "reason": "Red team"})
        listed = reverse("ircase:intake")
        assert incident.title not in self.client.get(listed).content.decode()
        assert incident.title in self.client.get(listed + "?show=dismissed").content.decode()
        self.assertContains(self.client.get(url), "Red team")
        self.client.post(url, {"action": "take_back"})
        assert incident.title in self.client.get(listed).content.decode()

    def test_read_now_asks_a_worker(self) -> None:
        self.sign_in(self.bob)
        with mock.patch("ircase.jobs.send") as send, self.captureOnCommitCallbacks(execute=True):
            self.client.post(reverse("ircase:intake_sync"))
        send.assert_called_once_with("ircase.sync_incidents", self.connection.pk)

    def test_a_case_of_another_person_is_linked_only_where_it_is_visible(self) -> None:
        incident = self.keep()
        case, _ = service.accept(incident=incident, actor=self.alice)
        self.sign_in(self.bob)
        self.assertContains(self.client.get(reverse("ircase:intake_item", args=[incident.pk])), case.reference)
        cases.set_confidential(case=case, actor=self.alice, confidential=True, reason="x")
        page = self.client.get(reverse("ircase:intake_item", args=[incident.pk])).content.decode()
        assert case.reference not in page
