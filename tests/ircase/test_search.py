"""One box over everything, and nothing of what may not be seen."""

from datetime import datetime
from io import StringIO
from unittest.mock import patch
from zoneinfo import ZoneInfo

from django.core.management import call_command
from django.test import SimpleTestCase
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from ircase import finder
from ircase.curated import bringin
from ircase.curated.bulk import change_events
from ircase.finder import cells
from ircase.finder.answering import Answer, answer
from ircase.indicators import bulk
from ircase.models import Case, CaseTable, ChecklistItem, SearchEntry, TableIndexing, User
from ircase.search import index, words
from ircase.search.fields import FIELDS
from ircase.search.language import All, Any_, Field, Not, QueryProblem, Text, parse
from ircase.search.sources import sources
from ircase.search.words import Term
from ircase.services import cases, templating
from ircase.services.analysis import findings, tablesearch
from ircase.services.phases import checklist
from ircase.services.writing import notes
from tests.cast import CastTestCase, make_case, make_evidence
from tests.ircase.queries import at_most
from tests.world import make_table


class SearchTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        for case in (cls.case, cls.secret_case):
            notes.create_note(case=case, actor=cls.alice, title="Zebra note", body="a zebrafish swam by a zebra")
            findings.add_asset(case=case, actor=cls.alice, kind="device", name="zebra-01")
            findings.add_indicator(case=case, actor=cls.alice, kind="domain", value="zebra.example.com")
            findings.add_indicator(case=case, actor=cls.alice, kind="ip", value="10.20.30.40")
            findings.add_event(
                case=case, actor=cls.alice, at=timezone.now(), title="Zebra process started", technique="T1547.001"
            )
            make_evidence(case, cls.alice, content=b"zebra" + case.reference.encode(), name="zebra-list.csv")
            cases.edit_case(case=case, actor=cls.alice, summary="A zebra did it")

    def search(self, text: str, **more: str) -> str:
        return self.client.get(reverse("ircase:search"), {"q": text, **more}).content.decode()

    def asked(self, text: str, user: User | None = None) -> Answer:
        return answer(user or self.carol, text)

    def kinds(self, text: str, user: User | None = None) -> dict[str, int]:
        return {group.source.kind: group.shown for group in self.asked(text, user).groups}

    def test_every_kind_is_found_by_who_may_see_it(self) -> None:
        self.sign_in(self.carol)
        page = self.search("ZEBRA")
        for kind in ("Cases", "Assets", "Indicators", "Timeline", "Notes", "Evidence", "Log"):
            assert f'aria-label="{kind}"' in page, kind
        assert self.case.reference in page
        assert self.secret_case.reference not in page
        assert "Quiet one" not in page
        assert "<mark>zebra</mark>-01" in page

    def test_what_is_hidden_is_neither_shown_nor_counted(self) -> None:
        seen = {user.username: self.kinds("zebra", user) for user in (self.alice, self.carol, self.mallory, self.ada)}
        assert seen["mallory"] == seen["ada"] == {}
        assert seen["carol"]["note"] == 1
        assert seen["alice"]["note"] == 2
        self.sign_in(self.carol)
        assert "1 found" in self.search("zebra", **{"in": "note"})
        assert self.secret_case.reference not in self.search("zebra", **{"in": "log"})

    def test_no_field_tells_of_a_hidden_case(self) -> None:
        for text in (f"case:{self.secret_case.reference}", "is:confidential", "quiet", f'"{self.secret_case.title}"'):
            assert not self.asked(text).found, text
            assert self.asked(text, self.alice).found, text

    def test_a_reference_leads_straight_to_its_case_or_nowhere(self) -> None:
        self.sign_in(self.alice)
        reply = self.client.get(reverse("ircase:search"), {"q": f" {self.case.reference.lower()} "})
        assert reply.headers["Location"] == reverse("ircase:case", args=[self.case.reference])
        self.sign_in(self.carol)
        assert "Nothing found" in self.search(self.secret_case.reference)

    def test_parts_of_addresses_and_defanged_ones(self) -> None:
        for text in ("zebra[.]example[.]com", "zebra.example.com", "example.com", "hxxp://zebra(.)example[.]com"):
            expected = 0 if text.startswith("hxxp") else 1
            assert self.kinds(text).get("indicator", 0) == expected, text
        assert self.kinds("10.20.30.40")["indicator"] == 1
        assert self.kinds("10[.]20[.]30[.]40")["indicator"] == 1
        assert self.kinds("ip:10.20.*")["indicator"] == 1
        assert "indicator" not in self.kinds("ip:10.20.30.4")

    def test_words_begin_where_no_whole_one_fits(self) -> None:
        found = self.asked("zebraf")
        assert found.begun
        assert [group.source.kind for group in found.groups] == ["note"]
        assert [hit.entry.title for hit in self.asked("ebra-0").parts] == ["zebra-01"]

    def test_phrases_not_or_and_groups(self) -> None:
        assert self.kinds('"process started"')["event"] == 1
        assert "event" not in self.kinds('"started process"')
        assert "event" not in self.kinds("zebra -process")
        assert set(self.kinds("(kind:note OR kind:asset) zebra")) == {"note", "asset"}
        assert set(self.kinds("kind:notes,assets zebra")) == {"note", "asset"}
        assert self.kinds("swam OR (process started)")["note"] == 1

    def test_fields_ask_what_they_say(self) -> None:
        assert set(self.kinds("technique:T1547")) == {"event", "library"}
        assert self.kinds("technique:t1547.002") == {}
        assert self.kinds("zebra before:2020-01-01") == {}
        assert "note" in self.kinds("zebra after:1d severity:high is:open")
        assert self.kinds("zebra is:closed") == {}
        assert self.kinds("zebra is:mine") == {}
        assert "note" in self.kinds("zebra is:mine owner:me", self.alice)
        assert "case" in self.kinds("owner:alice kind:case")
        assert "note" in self.kinds("zebra has:evidence")
        assert self.kinds("zebra has:hunt") == {}
        sha256 = self.case.evidence.get().sha256
        assert self.kinds(f"hash:{sha256[:12]}")["evidence"] == 1
        assert self.kinds(sha256.upper())["evidence"] == 1

    def test_problems_say_what_and_where(self) -> None:
        for text, wrong, said in (
            ('zebra "half', '"half', "not closed"),
            ("kind:bird", "kind:bird", "none of"),
            ("a (b", "(b"[:1], "not closed"),
            ("a) b", ")", "closes nothing"),
            ("before:soon", "before:soon", "no time"),
            ("OR zebra", "", "between two"),
            ("technique:x", "technique:x", "T1547"),
        ):
            problem = self.asked(text).problem
            assert problem is not None, text
            assert said in problem.message, problem
            assert problem.before + problem.wrong + problem.after == text
            assert wrong in problem.wrong, problem
        self.sign_in(self.carol)
        assert '<mark class="wrong">kind:bird</mark>' in self.search("zebra kind:bird")

    def test_the_index_follows_every_write(self) -> None:
        note = self.case.notes.get()
        notes.save_note(note=note, actor=self.alice, title="Okapi", body="only okapis here", version=note.version)
        assert self.kinds("okapis")["note"] == 1
        assert "note" not in self.kinds("zebrafish")
        event = self.case.events.get()
        findings.remove_event(event=event, actor=self.alice, reason="double")
        assert "event" not in self.kinds("process")
        assert "log" in self.kinds("double")

    def test_index_and_rows_agree(self) -> None:
        for source in sources():
            assert index.compare(source.kind, mend=False).is_sound, source.kind
        SearchEntry.objects.filter(kind="note").delete()
        SearchEntry.objects.filter(kind="asset").update(title="other")
        Case.objects.filter(pk=self.case.pk).update(title="Written past the model")
        found = index.compare("note", mend=True)
        assert (found.missing, found.rows) == (2, 2)
        assert index.compare("asset", mend=True).stale == 2
        assert index.compare("case", mend=True).stale == 1
        assert index.compare("note", mend=False).is_sound
        assert self.kinds("written past")["case"] == 1

    def test_what_is_written_in_bulk_is_found_too(self) -> None:
        case = make_case(self.alice, playbook="device-compromise")
        asset, _ = findings.add_asset(
            case=case, actor=self.alice, kind="device", name="okapi-1", compromise="confirmed"
        )
        checklist.add_item(case=case, actor=self.alice, title="Ask the okapi", phase="detection")
        templating.open_from(source=case, actor=self.alice, title="Like it")
        bulk.change_indicators(
            case=self.case, actor=self.alice, uuids=[one.uuid for one in self.case.indicators.all()],
            verdict="malicious", reason="Seen",
        )  # fmt: skip
        events = [findings.add_event(case=case, actor=self.alice, at=timezone.now(), title="Quiet").uuid]
        change_events(case=case, actor=self.alice, uuids=events, add_technique="T1078")
        line = b"datetime,message,timestamp_desc\n2026-01-02T03:04:05Z,okapi came,Seen\n"
        bringin.bring_in(case=case, actor=self.alice, name="x.csv", data=line)
        for source in sources():
            assert index.compare(source.kind, mend=False).is_sound, source.kind
        assert self.kinds("okapi", self.alice)["item"] == 2 + ChecklistItem.objects.filter(asset=asset).count()
        assert self.kinds("technique:T1078", self.alice)["event"] == 1
        assert self.kinds("okapi came", self.alice)["event"] == 1

    def test_pages_go_by_key_and_repeat_nothing(self) -> None:
        for number in range(60):
            findings.add_asset(case=self.case, actor=self.alice, kind="other", name=f"okapi {number:02}")
        self.sign_in(self.carol)
        seen: list[str] = []
        after = ""
        for _ in range(3):
            page = answer(self.carol, "okapi", kind="asset", after=after).page
            assert page is not None
            assert page.count == 60
            seen += [hit.entry.title for hit in page.hits]
            after = page.after
        assert not after
        assert sorted(seen) == [f"okapi {number:02}" for number in range(60)]

    def test_short_empty_strange_and_long(self) -> None:
        self.sign_in(self.carol)
        assert "A little more" in self.search("z")
        assert "What are you looking for" in self.search("")
        for text in ("\x00\x00", "%", "' OR 1=1 --", "x" * 5000, "\\", "=", '""', "-", "- -", "kind=note zebra"):
            assert self.client.get(reverse("ircase:search"), {"q": text}).status_code == 200

    def test_markup_in_what_is_found_stays_text(self) -> None:
        notes.create_note(case=self.case, actor=self.alice, title="<b>okapi</b>", body="<script>okapi()</script>")
        self.sign_in(self.carol)
        page = self.search("okapi")
        assert "&lt;script&gt;<mark>okapi</mark>()" in page
        assert "<script>okapi" not in page

    def test_queries_are_bounded(self) -> None:
        self.sign_in(self.carol)
        with at_most(12):
            self.search("zebra")
        with at_most(12):
            self.search("zebra", **{"in": "log"})


class TableSearchTests(CastTestCase):
    def test_cells_are_found_once_a_worker_has_read_them(self) -> None:
        item = make_evidence(self.case, self.alice)
        rows = [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": f"okapi-{n}.contoso.com"} for n in range(30)]
        table = make_table(item, rows)
        assert "has not read" in tablesearch.left_out(table)
        assert not answer(self.carol, "okapi-7.contoso.com").groups
        self.read(table)
        group = answer(self.carol, "okapi-7.contoso.com").groups[0]
        assert (group.source.kind, group.hits[0].entry.subject) == ("table", table.uuid)
        assert group.hits[0].url == reverse("ircase:table", args=[self.case.reference, table.uuid])
        assert not answer(self.mallory, "okapi-7.contoso.com").found
        assert tablesearch.left_out(table) == ""
        assert index.compare("table", mend=False).is_sound

    def test_what_is_left_out_is_said(self) -> None:
        table = make_table(make_evidence(self.case, self.alice), [{"DeviceName": f"okapi-{n}"} for n in range(50)])
        with patch.object(cells, "MOST_TEXTS", 10), patch.object(cells, "MOST_ROWS", 20):
            self.read(table)
        job = TableIndexing.objects.get(table=table)
        assert (job.rows, job.values) == (20, 10)
        said = tablesearch.left_out(table)
        assert "rows after the first 20" in said
        assert "DeviceName" in said

    def test_a_table_that_goes_leaves_nothing(self) -> None:
        item = make_evidence(self.case, self.alice)
        self.read(make_table(item, [{"DeviceName": "okapi"}]))
        newer = make_table(item, [{"DeviceName": "gnu"}])
        self.read(newer)
        assert not answer(self.carol, "okapi").found
        assert answer(self.carol, "gnu").found
        assert set(SearchEntry.objects.filter(kind="table").values_list("subject", flat=True)) == {newer.uuid}

    def read(self, table: CaseTable) -> None:
        job = TableIndexing.objects.select_related("table__evidence").claim(table.indexing.pk, "me")
        assert job is not None
        cells.index_table(job)
        job.refresh_from_db()
        assert job.state == "done", job.reason


class LanguageTests(SimpleTestCase):
    NOW = timezone.now()

    @given(st.text(alphabet=st.sampled_from('abz019 "()-*:.\\/ORAND=@_%\x00é漢kindcasebeforeis'), max_size=80))
    def test_any_text_is_a_query_or_a_problem_within_it(self, text: str) -> None:
        try:
            query = parse(text, self.NOW)
        except QueryProblem as problem:
            assert 0 <= problem.start <= problem.end <= len(text)
            assert problem.message.endswith(".")
        else:
            for term in query.terms:
                assert all(token and not set(token) & set("'\"\\ ()") for token in term.tokens)

    @given(st.text(max_size=200))
    def test_any_text_becomes_tokens_that_neither_database_reads_as_syntax(self, text: str) -> None:
        for token in words.tokens([text]):
            assert not set(token) & set("'\"\\ ()&|!<>*")
            assert len(token) <= words.LONGEST

    @given(st.text(min_size=1, max_size=40))
    def test_what_is_asked_is_among_the_tokens_of_what_holds_it(self, text: str) -> None:
        term = words.term(text)
        if term is not None:
            held = words.tokens([text])
            assert set(term.tokens) <= set(held)

    def test_trees(self) -> None:
        def tree(text: str) -> object:
            return parse(text, self.NOW).tree

        a, b, c = (Text(Term((letter,))) for letter in "abc")
        assert tree("a b") == All((a, b))
        assert tree("a OR b c") == Any_((a, All((b, c))))
        assert tree("(a OR b) AND c") == All((Any_((a, b)), c))
        assert tree("a -b") == All((a, Not(b)))
        assert tree("-(a OR b)") == Not(Any_((a, b)))
        assert tree("ab*") == Text(Term(("ab",), prefix=True))
        assert tree('"a b"') == Text(Term(("a", "b")))
        assert tree("http://a.b/c") == Text(Term(("http", "a", "b", "c")))
        assert tree("C:\\a") == All((Text(Term(("c", "a"))),)).parts[0]
        assert tree("") is None
        assert tree("%") is None

    def test_times_are_of_the_persons_zone(self) -> None:
        now = datetime(2026, 11, 22, 13, 30, tzinfo=ZoneInfo("Europe/Copenhagen"))
        for typed, expected in (
            ("2026-11-20", "2026-11-20T00:00:00+01:00"),
            ("2026-07", "2026-07-01T00:00:00+02:00"),
            ("today", "2026-11-22T00:00:00+01:00"),
            ("yesterday", "2026-11-21T00:00:00+01:00"),
            ("36h", "2026-11-21T01:30:00+01:00"),
            ("2026-11-20T10:00Z", "2026-11-20T10:00:00+00:00"),
        ):
            tree = parse(f"before:{typed}", now).tree
            assert isinstance(tree, Field)
            assert tree.value.isoformat() == expected, typed


class HostileQueryTests(HypothesisTestCase, CastTestCase):
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors])
    @given(st.text(alphabet=st.sampled_from("ab01 \"()-*:.'\\;%=@&|!<>,kindoreistag"), max_size=40))
    def test_no_query_is_an_error_of_the_database(self, text: str) -> None:
        answer(self.alice, text)

    @settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors])
    @given(st.sampled_from(sorted(FIELDS)), st.text(max_size=20))
    def test_no_value_of_a_field_is_one(self, name: str, value: str) -> None:
        answer(self.alice, finder.cleaned(f"{name}:{value}"))


class CommandTests(CastTestCase):
    def test_the_command_says_mends_and_checks(self) -> None:
        out = StringIO()
        call_command("rebuild_search", check=True, stdout=out)
        assert "case: 2 rows, 0 missing, 0 stale, 0 too many" in out.getvalue()
        SearchEntry.objects.filter(kind="case").delete()
        with self.assertRaises(SystemExit):
            call_command("rebuild_search", check=True, stdout=out)
        call_command("rebuild_search", kind=["case"], stdout=out)
        assert "case: 2 rows, 2 missing" in out.getvalue()
        call_command("rebuild_search", check=True, stdout=out)
