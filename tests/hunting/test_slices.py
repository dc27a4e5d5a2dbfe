"""An answer that was cut is asked again in slices: whole, in order, once; within its budget; over kills and waits."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.test import SimpleTestCase, override_settings
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from hunting.models import HuntRun, Source
from hunting.providers import Answer, Question
from hunting.quota import Later
from hunting.slicing import TICK, Walk
from ircase.models import Evidence
from kql import Column
from kql.types import datetime_text
from msapi.errors import QueryTimeout, ResultTooLarge, Unavailable
from tests.cast import CastTestCase
from tests.hunting.stage import answering, queue_kql, record_of, work

END = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
START = END - timedelta(days=7)
SPAN = re.compile(r"Timestamp >= datetime\((\S+?)\) and Timestamp < datetime\((\S+?)\)")
COLUMNS = (Column("Timestamp", "datetime"), Column("Number", "long"))
KQL = "DeviceProcessEvents | where Timestamp > ago(7d) | project Timestamp, Number = ReportId"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("0Z", "+00:00"))


class Service:
    """Rows at these moments, at most `cap` of them at a time; `fails` may raise for a slice."""

    name = "fake"

    def __init__(self, moments: Sequence[datetime], cap: int) -> None:
        self.moments, self.cap = sorted(moments), cap
        self.spans: list[tuple[datetime, datetime] | None] = []
        self.asked: list[Question] = []

    def fails(self, width: timedelta, rows: int) -> Exception | None:
        return None

    @contextmanager
    def ask(self, question: Question) -> Iterator[Answer]:
        self.asked.append(question)
        found = SPAN.search(question.final_kql)
        span = (moment(found[1]), moment(found[2])) if found else None
        self.spans.append(span)
        start, end = span or (START, END + TICK)
        rows = [(at, number) for number, at in enumerate(self.moments) if start <= at < end]
        if error := self.fails(end - start, len(rows)):
            raise error
        if "sort by Timestamp desc" in question.final_kql:
            rows.reverse()
        cut = "rows" if len(rows) >= self.cap else ""
        records = [{"Timestamp": datetime_text(at), "Number": number} for at, number in rows[: self.cap]]
        yield Answer(COLUMNS, iter(records), request_id=f"r{len(self.asked)}", truncated_by=cut)


def spread(count: int, start: datetime = START, end: datetime = END) -> list[datetime]:
    return [start + (end - start) / count * number for number in range(count)]


class SliceTests(CastTestCase):
    def run_on(self, service: Service, kql: str = KQL) -> HuntRun:
        run = queue_kql(self.case, self.bob, kql, Source.DEFENDER)
        HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "rows": service.cap})
        with answering(service):  # type: ignore[arg-type]
            return work(run)

    def manifest(self, run: HuntRun) -> dict[str, Any]:
        assert run.evidence is not None, run.reason
        found: dict[str, Any] = run.evidence.manifest
        return found

    def numbers(self, run: HuntRun) -> list[int]:
        return [row["Number"] for row in record_of(run)]

    def test_it_comes_home_whole_in_order_and_once(self) -> None:
        service = Service(spread(1000), cap=100)
        run = self.run_on(service)
        assert (run.state, run.row_count, run.truncated) == ("done", 1000, False), run.reason
        assert self.numbers(run) == list(range(1000))
        slicing = self.manifest(run)["slicing"]
        kept = [one for one in slicing["slices"] if one["outcome"] == "whole"]
        assert run.slices == len(kept) == slicing["kept"] and sum(one["rows"] for one in kept) == 1000
        # Half-open and without a gap, from the window's first moment to just beyond its last.
        assert [one["from"] for one in kept[1:]] == [one["to"] for one in kept[:-1]]
        assert (kept[0]["from"], kept[-1]["to"]) == (START.isoformat(), (END + TICK).isoformat())
        assert run.activity.outcome == f"1,000 rows in {run.slices} time slices"
        assert run.request_ids == [f"r{n}" for n in range(1, len(service.asked) + 1)]
        self.client.force_login(self.bob)
        page = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
        self.assertContains(page, "Asked in slices of time")
        self.assertContains(page, f"{run.slices} kept of {slicing['calls']} calls, by Timestamp")
        # At 70 of 100 rows a slice, 15 would do; finding that width costs some more.
        assert len(service.asked) <= 24

    def test_now_means_the_same_in_every_slice(self) -> None:
        service = Service(spread(300), cap=100)
        self.run_on(service)
        pinned = f"Timestamp > (datetime({datetime_text(END)}) - (7d))"
        assert all(pinned in question.final_kql for question in service.asked[1:])
        assert all(question.start == START and question.end == END for question in service.asked)

    def test_the_latest_first_where_the_query_says_so(self) -> None:
        run = self.run_on(Service(spread(500), cap=100), f"{KQL} | sort by Timestamp desc")
        assert self.numbers(run) == list(reversed(range(500))) and not run.truncated

    def test_a_crowded_hour_and_an_empty_week(self) -> None:
        crowd = spread(900, START + timedelta(days=3), START + timedelta(days=3, hours=1))
        service = Service([*crowd, END], cap=100)
        run = self.run_on(service)
        assert self.numbers(run) == list(range(901)) and not run.truncated
        assert len(service.asked) < 60

    def test_what_was_whole_at_once_is_not_sliced(self) -> None:
        service = Service(spread(99), cap=100)
        run = self.run_on(service)
        assert len(service.asked) == 1 and run.slices == 0 and self.manifest(run)["slicing"] is None

    def test_every_other_query_comes_home_cut_with_advice(self) -> None:
        for step in ("summarize count() by bin(Timestamp, 1s)", "join (DeviceInfo) on DeviceId", "top 500 by Timestamp",
                     "distinct Timestamp", "summarize arg_max(Timestamp, *) by DeviceId", "serialize",
                     "make-series count() on Timestamp step 1h"):  # fmt: skip
            service = Service(spread(1000), cap=100)
            run = self.run_on(service, f"DeviceProcessEvents\n| {step}")
            assert len(service.asked) == 1, step
            assert (run.state, run.truncated, run.truncated_by, run.row_count) == ("done", True, "rows", 100)
            slicing = self.manifest(run)["slicing"]
            assert slicing["why_not"].startswith("line 2, column 3: ") and "Narrow the window" in slicing["advice"]
            self.client.force_login(self.bob)
            page = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
            self.assertContains(page, "Why it was not asked in slices of time")
            assert "TRUNCATED" in run.activity.outcome and "line 2, column 3" in run.activity.outcome

    def test_an_instant_that_exceeds_the_cap_alone_is_named(self) -> None:
        at = START + timedelta(days=2)
        service = Service([*spread(150), *[at] * 120], cap=100)
        run = self.run_on(service)
        assert run.state == "done" and run.truncated
        assert f"the instant {at.isoformat()}" in run.truncated_by
        cut = [one for one in self.manifest(run)["slicing"]["slices"] if one["outcome"] == "kept, cut"]
        assert [(one["from"], one["rows"]) for one in cut] == [(at.isoformat(), 100)]
        # All around it is there.
        assert run.row_count == 150 + 100 - (at in spread(150))

    @override_settings(HUNTING_SLICE_CALLS=6)
    def test_a_spent_budget_keeps_what_it_has_and_names_what_it_has_not(self) -> None:
        service = Service(spread(1000), cap=100)
        run = self.run_on(service)
        assert run.truncated and "the budget of 6 calls is spent" in run.truncated_by
        assert len(service.asked) == 7  # the first was for all of it
        slicing = self.manifest(run)["slicing"]
        assert slicing["not_asked"][1] == (END + TICK).isoformat() and slicing["budget"]["calls"] == 6
        assert self.numbers(run) == list(range(len(self.numbers(run)))) and run.row_count

    @override_settings(HUNTING_SLICE_ROWS=300)
    def test_the_budget_of_rows(self) -> None:
        run = self.run_on(Service(spread(1000), cap=100))
        assert "the budget of 300 rows is spent" in run.truncated_by and 300 <= (run.row_count or 0) < 400

    def test_a_result_too_large_and_a_query_too_slow_are_sliced_too(self) -> None:
        for error in (ResultTooLarge("Result size limit exceeded."), QueryTimeout("Timed out.")):

            class Small(Service):
                def fails(self, width: timedelta, rows: int, error: Exception = error) -> Exception | None:
                    return error if rows > 60 else None

            run = self.run_on(Small(spread(400), cap=100))
            assert (run.state, run.truncated, run.row_count) == ("done", False, 400), run.reason
            assert {"failed", "whole"} == {one["outcome"] for one in self.manifest(run)["slicing"]["slices"]}

    def test_a_slow_second_is_named_and_the_rest_comes_home(self) -> None:
        class Stuck(Service):
            def fails(self, width: timedelta, rows: int) -> Exception | None:
                return QueryTimeout("Timed out.") if rows and width > timedelta(hours=6) or rows > 20 else None

        run = self.run_on(Stuck([*spread(50), *[START + timedelta(days=1)] * 30], cap=100))
        assert run.state == "done" and run.truncated and "Timed out." in run.truncated_by
        assert run.row_count == 50 - (START + timedelta(days=1) in spread(50))

    def test_a_whole_set_query_that_times_out_fails_as_before(self) -> None:
        class Slow(Service):
            def fails(self, width: timedelta, rows: int) -> Exception | None:
                return QueryTimeout("The query cost too much.")

        run = self.run_on(Slow([], cap=100), "DeviceEvents | summarize count()")
        assert run.state == "failed" and "cost too much" in run.reason

    def test_a_kill_in_the_middle_costs_no_whole_slice(self) -> None:
        """A worker dies after some slices, without a word: the next one goes on from there."""

        class Killed(BaseException):
            pass

        service = Service(spread(1000), cap=100)
        run = queue_kql(self.case, self.bob, KQL, Source.DEFENDER)
        HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "rows": 100})
        with answering(service):  # type: ignore[arg-type]
            with mock.patch.object(Service, "fails", _dying(9, Killed)), suppress(Killed):
                work(run)
            first = list(service.spans)
            HuntRun.objects.filter(pk=run.pk).update(state="queued", owner="")
            run = work(run)
        assert (run.state, run.row_count, run.truncated) == ("done", 1000, False), run.reason
        assert self.numbers(run) == list(range(1000))
        assert None not in service.spans[len(first) :], "all of it was asked again"
        assert Evidence.objects.filter(kind="hunt").count() == 1
        whole = [one for one in self.manifest(run)["slicing"]["slices"] if one["outcome"] == "whole"]
        assert [one["from"] for one in whole[1:]] == [one["to"] for one in whole[:-1]]

    def test_a_service_that_falls_ill_or_a_queue_in_between_costs_no_slice(self) -> None:
        for error in (Unavailable("503"), Later(60, "Waiting for the tenant's hunting quota.", 7, 300)):
            service = Service(spread(1000), cap=100)
            run = queue_kql(self.case, self.bob, KQL, Source.DEFENDER)
            HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "rows": 100})
            with answering(service):  # type: ignore[arg-type]
                with mock.patch.object(Service, "fails", _dying(8, lambda e=error: e)):
                    run = work(run)
                assert run.state == "queued" and run.reason == str(error)
                HuntRun.objects.filter(pk=run.pk).update(not_before=None)
                run = work(run)
            assert (run.state, run.row_count) == ("done", 1000), run.reason
            assert self.numbers(run) == list(range(1000))
            assert service.spans.count(None) == 1

    def test_a_long_line_does_not_make_it_begin_again(self) -> None:
        """Each time it has waited for its turn it asks one slice, and is sent back to the line's end."""
        service = Service(spread(400), cap=100)
        run = queue_kql(self.case, self.bob, KQL, Source.DEFENDER)
        HuntRun.objects.filter(pk=run.pk).update(limits={**run.limits, "rows": 100})
        later = Later(60, "Waiting for the tenant's hunting quota.", 7, 300)
        with answering(service), mock.patch("ircase.work.Hold.check", side_effect=itertools.cycle([None, later])):  # type: ignore[arg-type]
            for _ in range(60):
                run = work(run)
                if run.is_final:
                    break
                HuntRun.objects.filter(pk=run.pk).update(not_before=None)
        assert (run.state, run.row_count, run.truncated) == ("done", 400, False), run.reason
        assert service.spans.count(None) == 1 and self.numbers(run) == list(range(400))

    def test_each_slice_waits_for_its_turn(self) -> None:
        turns: list[str] = []
        service = Service(spread(400), cap=100)
        with mock.patch("ircase.work.Hold.check", lambda _: turns.append("asked")):
            self.run_on(service)
        assert len(turns) >= len(service.asked) - 1


def _dying(at: int, error: Any) -> Any:
    """`fails` that raises at one call of the service, once."""

    def fails(self: Service, width: timedelta, rows: int) -> Exception | None:
        if len(self.asked) == at:
            raise error()
        return None

    return fails


class WalkTests(SimpleTestCase):
    """Whatever the rows are, the slices cover everything once."""

    @given(
        st.lists(st.integers(0, 10**9), max_size=60), st.integers(1, 20), st.booleans(), st.integers(1, 10**9),
    )  # fmt: skip
    def test_it_covers_everything_once(self, at: list[int], cap: int, descending: bool, length: int) -> None:
        moments = [START + TICK * (number % length) for number in at]
        walk = Walk.over(START, START + TICK * length, cap, descending)
        kept: list[tuple[datetime, datetime]] = []
        calls = 0
        while (span := walk.next()) is not None:
            calls += 1
            rows = sum(span[0] <= one < span[1] for one in moments)
            if rows < cap or not walk.divide(*span, by_rows=True):
                walk.keep(*span, rows)
                kept.append(span)
        kept.sort()
        assert kept[0][0] == START and kept[-1][1] == START + TICK * length
        assert [a[1] for a in kept[:-1]] == [b[0] for b in kept[1:]]
        assert calls <= 120 + 40 * len(at)
        assert Walk.from_json(json.loads(json.dumps(walk.as_json()))) == walk
