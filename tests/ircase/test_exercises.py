"""Exercises: scenarios are sound, injects come once, players see only what happened, work is counted from the case."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ircase import metrics
from ircase.catalogue import CatalogueError
from ircase.exercises import counting
from ircase.exercises.counting import Fact, fits
from ircase.exercises.debrief import as_json, as_markdown, debrief_of
from ircase.exercises.scenarios import Expect, _check, scenarios
from ircase.models import Activity, Case, ChecklistItem, Event, Exercise, Inject, LogEntry, Notice, NoticeCode, User
from ircase.report.sheets import pdf_of
from ircase.services import activity, cases, notices
from ircase.services.analysis import findings
from ircase.services.casework import decisions, improvements
from ircase.services.exercises import playing
from ircase.services.phases import clocks
from ircase.services.readiness import plans
from tests.cast import CastTestCase
from tests.ircase.queries import at_most

AT_TABLE = "invoice-fraud"


class ScenarioTests(CastTestCase):
    def test_three_of_our_own_are_sound(self) -> None:
        found = scenarios()
        assert set(found) == {"friday-remote-desktop", "invoice-fraud", "encrypted-overnight"}
        for one in found.values():
            last = max(row["minute"] for row in one.content["injects"])
            assert last < one.content["minutes"]

    def test_what_a_schema_cannot_say_is_checked(self) -> None:
        content: dict[str, Any] = {"injects": [{"key": "one"}], "expects": [{"key": "a", "kind": "person"}]}
        _check("x", content)
        for expect in (
            {"key": "a", "kind": "hunt"},
            {"key": "a", "kind": "person", "any": ["x"]},
            {"key": "a", "kind": "person", "after": "two"},
            {"key": "a", "kind": "milestone", "any": ["bygone"]},
        ):
            with self.subTest(expect), pytest.raises(CatalogueError):
                _check("x", content | {"expects": [expect]})
        with pytest.raises(CatalogueError, match="twice"):
            _check("x", content | {"injects": [{"key": "one"}, {"key": "one"}]})


class ExerciseCase(CastTestCase):
    def begin(self, scenario: str = AT_TABLE, **more: Any) -> Exercise:
        return playing.begin(actor=self.alice, scenario=scenario, **{"players": [self.bob], **more})

    def counted(self, exercise: Exercise) -> dict[str, counting.Counted]:
        return {row.key: row for row in counting.of(exercise)}

    def back(self, exercise: Exercise, minutes: int) -> None:
        """As if it had begun so long ago."""
        Exercise.objects.filter(pk=exercise.pk).update(started_at=timezone.now() - timedelta(minutes=minutes))
        exercise.refresh_from_db()


class PlayingTests(ExerciseCase):
    def test_it_opens_a_case_that_is_in_no_metric(self) -> None:
        made = self.begin()
        assert made.case.exercise
        assert made.case.title == "Exercise: The invoice that was paid twice"
        assert {(one.user, one.role) for one in made.case.members.all()} == {
            (self.alice, "lead"),
            (self.bob, "analyst"),
        }
        assert not metrics.counted(Case.objects.visible_to(self.alice)).filter(pk=made.case.pk).exists()
        assert Notice.objects.filter(person=self.bob).latest("pk").title.startswith("EXERCISE: You play in an exercise")
        with pytest.raises(ValidationError, match="stays an exercise"):
            cases.edit_case(case=made.case, actor=self.alice, exercise=False)

    def test_only_on_a_connection_that_is_marked_as_a_test(self) -> None:
        with pytest.raises(PermissionDenied, match="not marked as a test"):
            self.begin(connection=self.connection)
        assert not Exercise.objects.exists()
        plans.save(connection=self.connection, actor=self.ada, is_test=True)
        made = self.begin("friday-remote-desktop", connection=self.connection)
        assert made.case.connection == self.connection
        with pytest.raises(ValidationError, match="choose a connection"):
            self.begin("friday-remote-desktop")

    def test_who_opens_no_cases_begins_none(self) -> None:
        for person in (self.carol, self.ada, self.mallory):
            with pytest.raises(PermissionDenied):
                playing.begin(actor=person, scenario=AT_TABLE)

    def test_an_inject_happens_once_as_event_and_notice(self) -> None:
        made = self.begin()
        inject = playing.release(exercise=made, key="rule", actor=self.alice)
        with pytest.raises(ValidationError, match="already"):
            playing.release(exercise=made, key="rule", actor=self.alice)
        event = Event.objects.get(case=made.case, source="Exercise")
        assert (inject.event, event.lane) == (event, "other")
        assert event.title == "Mail operations: There is a rule in the mailbox of the treasurer"
        notice = Notice.objects.get(person=self.bob, title__contains="rule")
        assert notice.title.startswith("EXERCISE: ")
        assert not Notice.objects.filter(person=self.alice, title__contains="rule").exists()

    def test_the_clock_releases_what_is_due_and_stops(self) -> None:
        made = self.begin(by_clock=True)
        assert released(made) == {"reminder"}
        self.back(made, 26)
        assert playing.tick() == 2
        assert released(made) == {"reminder", "headers", "rule"}
        assert playing.tick() == 0
        playing.set_clock(exercise=made, actor=self.alice, on=False)
        self.back(made, 90)
        assert playing.tick() == 0
        playing.end(exercise=made, actor=self.alice)
        with pytest.raises(ValidationError, match="ended"):
            playing.set_clock(exercise=made, actor=self.alice, on=True)

    def test_players_steer_nothing(self) -> None:
        made = self.begin()
        for person in (self.bob, self.carol, self.mallory, self.ada):
            for act in (
                lambda who: playing.release(exercise=made, key="rule", actor=who),
                lambda who: playing.end(exercise=made, actor=who),
                lambda who: playing.judge(exercise=made, actor=who, key="since", met=True),
            ):
                with pytest.raises(PermissionDenied):
                    act(person)


def released(made: Exercise) -> set[str]:
    return set(Inject.objects.filter(exercise=made).exclude(released_at=None).values_list("key", flat=True))


class CountingTests(ExerciseCase):
    def test_work_is_read_from_the_case(self) -> None:
        made = self.begin()
        playing.release(exercise=made, key="headers", actor=self.alice)
        before = self.counted(made)
        assert (before["lookalike"].met, before["lookalike"].open) == (False, True)
        findings.add_indicator(case=made.case, actor=self.bob, kind="domain", value="harbour-0ffice[.]example")
        after = self.counted(made)["lookalike"]
        assert (after.met, after.late, after.minutes, after.how) == (True, False, 0, "Bob: harbour-0ffice.example")

    def test_late_is_not_met_and_over_is_missed(self) -> None:
        made = self.begin()
        playing.release(exercise=made, key="headers", actor=self.alice)
        Inject.objects.filter(exercise=made, key="headers").update(released_at=timezone.now() - timedelta(minutes=16))
        missed = self.counted(made)["lookalike"]
        assert (missed.met, missed.late, missed.open) == (False, False, False)
        findings.add_indicator(case=made.case, actor=self.bob, kind="domain", value="harbour-0ffice.example")
        late = self.counted(made)["lookalike"]
        assert (late.met, late.late, late.minutes, late.within) == (False, True, 16, 15)

    def test_each_kind_of_work(self) -> None:
        plans.save(connection=self.connection, actor=self.ada, is_test=True)
        made = self.begin("friday-remote-desktop", connection=self.connection)
        case = made.case
        self.did(case, "hunt", "lsass-access", "done")
        self.did(case, "hunt", "device-logons", "failed")
        self.did(case, "action", "Isolate device", "requested")
        self.did(case, "collection", "get-file", "partial")
        asset, _ = findings.add_asset(case=case, actor=self.bob, kind="device", name="WS-FIN-02.northwharf.example")
        assert not self.counted(made)["second"].how
        findings.judge_asset(asset=asset, actor=self.bob, compromise="confirmed", description="")
        findings.add_event(case=case, actor=self.bob, at=timezone.now(), title="Dump", technique="T1003.001")
        decisions.record(case=case, actor=self.bob, what="Tell the ships to wait", why="The plan may be wrong")
        cases.set_milestone(case=case, actor=self.alice, kind="contained", at=timezone.now())
        found = self.counted(made)
        shown = {key for key, row in found.items() if row.how}
        assert shown == {"credentials", "contain", "preserved", "second", "dumping", "answer", "contained"}
        assert found["dumping"].met
        # What counts from an inject that was not released has no time yet, and is not held against anybody.
        assert (found["contain"].met, found["contain"].minutes) == (True, None)

    def did(self, case: Case, kind: str, what: str, state: str) -> None:
        row = activity.begin(
            case=case, kind=Activity.Kind(kind), title=f"A {kind}", subject=uuid.uuid4(), url_name="hunting:run",
            actor=self.bob, detail={kind: what},
        )  # fmt: skip
        Activity.objects.filter(pk=row.pk).update(state=state, ended_at=timezone.now())

    def test_the_facilitators_word_goes_first_and_can_be_taken_back(self) -> None:
        made = self.begin()
        playing.judge(exercise=made, actor=self.alice, key="since", met=True, note="Said so in the round")
        assert self.counted(made)["since"].how == "Alice judged: Said so in the round"
        playing.judge(exercise=made, actor=self.alice, key="since", met=None)
        assert not self.counted(made)["since"].met
        with pytest.raises(ValidationError):
            playing.judge(exercise=made, actor=self.alice, key="nothing", met=True)

    def test_the_end_keeps_the_count(self) -> None:
        made = self.begin()
        findings.add_asset(case=made.case, actor=self.bob, kind="account", name="w.dewit@northwharf.example",
                           compromise="confirmed")  # fmt: skip
        playing.end(exercise=made, actor=self.alice)
        kept = self.counted(made)
        findings.add_indicator(case=made.case, actor=self.bob, kind="domain", value="harbour-0ffice.example")
        assert self.counted(made) == kept
        assert kept["account"].met
        assert not kept["lookalike"].how
        assert LogEntry.objects.get(action="exercise.ended").detail["expected"] == len(kept)
        playing.judge(exercise=made, actor=self.alice, key="lookalike", met=True)
        assert self.counted(made)["lookalike"].met


class DebriefTests(ExerciseCase):
    def test_it_says_what_was_met_and_hostile_text_stays_text(self) -> None:
        made = self.begin()
        for key in ("reminder", "headers"):
            playing.release(exercise=made, key=key, actor=self.alice)
        evil = "harbour-0ffice.example"
        findings.add_indicator(case=made.case, actor=self.bob, kind="domain", value=evil)
        playing.end(exercise=made, actor=self.alice)
        playing.debrief(exercise=made, actor=self.alice, went_well="#panic(1) | <b>", to_improve="")
        data = as_json(debrief_of(made))
        # Missed: the bank. The other eight hang on what never happened.
        assert (data["met"], data["late"], data["missed"], data["open"]) == (1, 0, 1, 8)
        assert [row["title"] for row in data["counted"] if row["outcome"] == "Missed"] == [
            "Decide to ask the bank for a recall, and who signs"
        ]
        text = as_markdown(debrief_of(made))
        assert "| Record the look-alike domain | Met | 0 min | 15 min | Bob: harbour-0ffice.example |" in text
        assert pdf_of("debrief", data).startswith(b"%PDF-")


class PageTests(ExerciseCase):
    def look(self, person: User, made: Exercise, name: str = "exercise", *more: str) -> Any:
        self.sign_in(person)
        return self.client.get(reverse(f"ircase:{name}", args=[made.case.reference, *more]))

    def test_players_learn_nothing_of_what_is_to_come(self) -> None:
        made = self.begin()
        playing.release(exercise=made, key="reminder", actor=self.alice)
        for name in ("exercise", "exercise_live"):
            seen = self.look(self.bob, made, name).content.decode()
            assert "Our supplier says that we have not paid" in seen
            assert "trade paper" not in seen
            assert "look-alike" not in seen
            led = self.look(self.alice, made, name).content.decode()
            assert "trade paper" in led
            assert "look-alike" in led
        assert self.look(self.bob, made, "exercise_debrief", "md").status_code == 403
        assert self.look(self.mallory, made).status_code == 404
        playing.end(exercise=made, actor=self.alice)
        self.assertContains(self.look(self.bob, made), "look-alike")
        assert self.look(self.bob, made, "exercise_debrief", "md").status_code == 200
        assert self.look(self.bob, made, "exercise_debrief", "pdf")["Content-Type"] == "application/pdf"
        assert self.look(self.bob, made, "exercise_debrief", "exe").status_code == 404

    def test_a_case_without_a_scenario_has_no_such_page(self) -> None:
        self.sign_in(self.alice)
        assert self.client.get(reverse("ircase:exercise", args=[self.case.reference])).status_code == 404

    def test_it_is_begun_steered_and_ended_in_the_browser(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:exercises")
        assert self.client.post(url, {"scenario": AT_TABLE, "players": [self.bob.pk]}).status_code == 302
        made = Exercise.objects.get()
        act = reverse("ircase:exercise_act", args=[made.case.reference])
        for values in ({"act": "release", "key": "press"}, {"act": "clock"}, {"act": "hand"},
                       {"act": "judge", "key": "since", "met": "yes"}, {"act": "debrief", "went_well": "Fast"},
                       {"act": "end"}):  # fmt: skip
            assert self.client.post(act, values).status_code == 302
        made.refresh_from_db()
        assert (made.is_running, made.went_well) == (False, "Fast")
        assert {"press", "reminder"} <= released(made)
        assert self.client.post(url, {"scenario": "nothing"}).status_code == 422

    def test_the_pages_cost_a_bounded_number_of_queries(self) -> None:
        made = self.begin()
        self.sign_in(self.alice)
        with at_most(15):
            self.client.get(reverse("ircase:exercises"))
        with at_most(15):
            self.client.get(reverse("ircase:exercise_live", args=[made.case.reference]))
        with at_most(30):  # twelve are the shell's
            self.client.get(reverse("ircase:exercise", args=[made.case.reference]))

    def test_every_tab_says_that_it_is_an_exercise(self) -> None:
        made = self.begin()
        self.sign_in(self.alice)
        for name in ("case", "log", "timeline"):
            page = self.client.get(reverse(f"ircase:{name}", args=[made.case.reference]))
            self.assertContains(page, "This is an exercise")
        page = self.client.get(reverse("ircase:case", args=[self.case.reference]))
        self.assertNotContains(page, "This is an exercise")

    def test_lists_across_cases_mark_what_is_played(self) -> None:
        made = self.begin()
        self.sign_in(self.alice)
        badge = ">Exercise</span>"
        found = self.client.get(reverse("ircase:search") + f'?q="{made.case.title}"')
        self.assertContains(found, badge)
        self.assertNotContains(self.client.get(reverse("ircase:search") + f'?q="{self.case.title}"'), badge)
        lines = self.client.get(reverse("ircase:palette") + f"?q={made.case.reference}", headers={"HX-Request": "true"})
        self.assertContains(lines, badge)
        item = ChecklistItem.objects.live().filter(case=made.case).exclude(phase="preparation")[0]
        ChecklistItem.objects.filter(pk=item.pk).update(owner=self.alice)
        page = self.client.get(reverse("ircase:my_work")).content.decode()
        mine = page.split(reverse("ircase:checklist_item", args=[made.case.reference, item.pk]), 1)[1]
        assert mine.split("</li>", 1)[0].count(badge) == 1
        self.assertContains(self.client.get(reverse("ircase:work")), badge)

    def test_deadlines_and_news_mark_it_too(self) -> None:
        made = self.begin()
        self.sign_in(self.alice)
        badge = ">Exercise</span>"
        earnest, played = self.case, made.case
        for case in (earnest, played):
            clocks.start(case=case, actor=self.alice, rule="gdpr-notification", reason="Mailboxes were read")
            improvements.add(case=case, actor=self.alice, title=f"Better, {case.reference}", owner=self.alice)
            notices.tell(code=NoticeCode.DUE, people=[self.alice], case=case, subject=case.uuid, title="Due", path="/")
        mine = self.client.get(reverse("ircase:my_deadlines")).content.decode().split("<li")
        assert [badge in line for line in mine if earnest.reference in line] == [False, False]
        assert [badge in line for line in mine if played.reference in line] == [True, True]
        for name, line in (("deadlines", "<tr"), ("notices", "<tr"), ("notices_bell", "<li"), ("my_work", "<li")):
            parts = self.client.get(reverse(f"ircase:{name}")).content.decode().split(line)
            told = [part for part in parts if "Due" in part or "GDPR" in part]
            marked = [[badge in part for part in told if case.reference in part] for case in (earnest, played)]
            assert set(marked[0]) == {False}, name
            assert set(marked[1]) == {True}, name


def test_a_scenario_that_names_a_hunt_that_is_not_there_is_refused_with_its_name() -> None:
    content = dict(scenarios()["invoice-fraud"].content)
    _check("x.yaml", content)
    with pytest.raises(CatalogueError, match="x.yaml: the library has no hunt 'mailbox-actvity'"):
        _check("x.yaml", content | {"hunts": ["account-sign-ins", "mailbox-actvity"]})
    wrong = [*content["expects"], {"key": "more", "title": "More", "kind": "hunt", "any": ["lsas-access"]}]
    with pytest.raises(CatalogueError, match="lsas-access"):
        _check("x.yaml", content | {"expects": wrong})


@given(st.text(max_size=40), st.lists(st.text(min_size=2, max_size=10), min_size=1, max_size=4))
def test_no_text_of_a_player_breaks_the_count(text: str, wanted: list[str]) -> None:
    fact = Fact("decision", timezone.now(), "Bob", text, text=text.lower())
    expect = Expect("a", "A", "decision", tuple(wanted))
    assert fits(expect, fact) == any(word.lower() in text.lower() for word in wanted)
    assert not fits(Expect("a", "A", "hunt", tuple(wanted)), fact)
