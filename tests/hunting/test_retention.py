"""A window that the source no longer has the rows of is refused before it is asked."""

from datetime import timedelta

from django.core.exceptions import ValidationError

from hunting.binding import attach_kql
from hunting.models import HuntRun, Source
from hunting.services import runs
from tests.cast import CastTestCase
from tests.hunting.stage import NOW, FakeProvider, answering, work


class RetentionTests(CastTestCase):
    def queue(self, span: str, source: Source = Source.DEFENDER, as_of: str = "") -> HuntRun:
        frozen = attach_kql(kql="DeviceEvents", span=span, as_of=as_of, now=NOW)
        return runs.queue_run(case=self.case, actor=self.bob, frozen=frozen, source=source)

    def limit(self, **limits: float) -> None:
        self.connection.limits = limits
        self.connection.save(update_fields=["limits"])
        self.case.refresh_from_db()

    def test_defender_keeps_thirty_days(self) -> None:
        assert self.queue("30d").pk
        with self.assertRaisesMessage(ValidationError, "keeps 30 days: nothing before 2026-10-21 18:00 UTC is there"):
            self.queue("31d")
        with self.assertRaisesMessage(ValidationError, "this window begins 2026-10-20 18:00 UTC"):
            self.queue("30d", as_of="2026-11-19T18:00:00Z")
        assert HuntRun.objects.count() == 1

    def test_a_connection_may_know_better(self) -> None:
        self.limit(hunting_retention_days=180)
        assert self.queue("90d").pk

    def test_a_workspace_keeps_what_its_connection_says(self) -> None:
        assert self.queue("365d", Source.LOG_ANALYTICS).pk
        self.limit(loganalytics_retention_days=90)
        with self.assertRaisesMessage(ValidationError, "Log Analytics keeps 90 days"):
            self.queue("365d", Source.LOG_ANALYTICS)

    def test_the_case_keeps_everything(self) -> None:
        assert self.queue("3650d", Source.CASE).pk

    def test_a_repetition_is_asked_anew(self) -> None:
        """The window of an old run stays what it was; by now its rows may be gone."""
        run = self.queue("30d")
        HuntRun.objects.filter(pk=run.pk).update(
            window_start=run.window_start - timedelta(days=400), window_end=run.window_end - timedelta(days=400)
        )
        run.refresh_from_db()
        with answering(FakeProvider()):
            run = work(run)
        with self.assertRaisesMessage(ValidationError, "keeps 30 days"):
            runs.retry(run=run, actor=self.bob)
