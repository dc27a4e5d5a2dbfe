"""Comments: on every kind of thing, told to whom they concern, edited by their author alone, never lost."""

import json
import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from ircase.dossier import content
from ircase.models import Comment, LogEntry, Notice
from ircase.services.analysis import findings
from ircase.services.identity import people
from ircase.services.phases import checklist
from ircase.services.writing import comments, notes
from tests.cast import CastTestCase, make_evidence

HTMX = {"HX-Request": "true"}


class CommentsTestCase(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.item = make_evidence(cls.case, cls.alice, name="loader.exe")

    def write(self, body: str = "Is this the loader?", **more: Any) -> Comment:
        values = {"case": self.case, "actor": self.bob, "kind": "evidence", "subject": str(self.item.uuid), **more}
        return comments.write(body=body, **values)

    def url(self, kind: str = "evidence", subject: object = "") -> str:
        return reverse("ircase:comments", args=[self.case.reference, kind, str(subject or self.item.uuid)])


class KindTests(CommentsTestCase):
    def test_every_kind_finds_its_things_and_nothing_else(self) -> None:
        case, actor = self.case, self.alice
        asset, _ = findings.add_asset(case=case, actor=actor, kind="device", name="ws-07")
        indicator, _ = findings.add_indicator(case=case, actor=actor, kind="ip", value="192.0.2.7")
        event = findings.add_event(case=case, actor=actor, at=case.opened_at, title="It began")
        note = notes.create_note(case=case, actor=actor, title="A note")
        step = checklist.add_item(case=case, actor=actor, title="A step", phase="detection")
        there = {
            "case": case.uuid, "evidence": self.item.uuid, "asset": asset.uuid, "indicator": indicator.uuid,
            "event": event.uuid, "note": note.uuid, "checklist": step.pk, "device": "ws-07", "file": "a" * 64,
        }  # fmt: skip
        for kind, subject in there.items():
            found = comments.find(case, kind, str(subject))
            assert found is not None, kind
            assert found.path.startswith("/"), kind
        for kind in {one.name for one in comments.kinds()}:
            for subject in ("", "x/y", "../..", str(uuid.uuid4()), "-1", "9" * 300, "é"):
                well_formed = kind == "device" and len(subject) == 36  # every name has a page
                assert (comments.find(case, kind, subject) is None) != well_formed, (kind, subject)
        assert comments.find(self.secret_case, "evidence", str(self.item.uuid)) is None
        assert comments.find(case, "nothing", "1") is None
        names = {one.name for one in comments.kinds()}
        assert names == {*there, "approval", "run", "notebook", "collection", "action"}

    def test_the_pages_of_things_load_their_comments(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:evidence_item", args=[self.case.reference, self.item.uuid]))
        self.assertContains(page, f'hx-get="{self.url()}?part=1"')


class PanelTests(CommentsTestCase):
    def test_write_read_edit_and_history(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(self.url(), {"body": "**Look** at <script>alert(1)</script> E001"}, headers=HTMX)
        page = reply.content.decode()
        assert "<strong>Look</strong> at &lt;script&gt;" in page
        item_url = reverse("ircase:evidence_item", args=[self.case.reference, self.item.uuid])
        assert f'href="{item_url}"' in page
        comment = Comment.objects.get()
        edit = reverse("ircase:comment_edit", args=[self.case.reference, comment.uuid])
        assert "**Look**" in self.client.get(edit, headers=HTMX).content.decode()
        self.client.post(edit, {"body": "Better", "version": "1"}, headers=HTMX)
        late = self.client.post(edit, {"body": "Late", "version": "1"}, headers=HTMX)
        self.assertContains(late, "It was saved meanwhile", status_code=422)
        assert "Late</textarea>" in late.content.decode()
        comment.refresh_from_db()
        assert (comment.body, comment.version) == ("Better", 2)
        history = reverse("ircase:comment_history", args=[self.case.reference, comment.uuid])
        self.assertContains(self.client.get(history), "**Look** at &lt;script&gt;")

    def test_only_the_author_edits_and_anybody_who_writes_resolves(self) -> None:
        comment = self.write()
        edit = reverse("ircase:comment_edit", args=[self.case.reference, comment.uuid])
        resolve = reverse("ircase:comment_resolve", args=[self.case.reference, comment.uuid])
        self.sign_in(self.alice)
        assert self.client.post(edit, {"body": "Mine", "version": "1"}).status_code == 403
        self.assertContains(self.client.post(resolve, headers=HTMX), "Resolved")
        comment.refresh_from_db()
        assert comment.resolved_by == self.alice
        self.client.post(resolve, {"open": "1"}, headers=HTMX)
        comment.refresh_from_db()
        assert comment.resolved_at is None
        actions = LogEntry.objects.filter(case=self.case, action__startswith="comment.").order_by("sequence")
        assert list(actions.values_list("action", flat=True)) == [
            "comment.written",
            "comment.resolved",
            "comment.reopened",
        ]

    def test_observers_read_outsiders_learn_nothing(self) -> None:
        self.write()
        self.sign_in(self.carol)
        page = self.client.get(self.url(), headers=HTMX)
        self.assertContains(page, "Is this the loader?")
        self.assertNotContains(page, "<textarea")
        assert self.client.post(self.url(), {"body": "x"}).status_code == 403
        self.sign_in(self.mallory)
        assert self.client.get(self.url()).status_code == 404
        assert self.client.get(self.url("evidence", uuid.uuid4())).status_code == 404

    def test_an_unknown_thing_is_404_and_one_that_went_keeps_its_comments(self) -> None:
        event = findings.add_event(case=self.case, actor=self.bob, at=self.case.opened_at, title="It began")
        self.write(kind="event", subject=str(event.uuid))
        findings.remove_event(event=event, actor=self.bob, reason="Wrong")
        self.sign_in(self.bob)
        self.assertContains(self.client.get(self.url("event", event.uuid)), "not in the case any more")
        assert self.client.get(self.url("event", uuid.uuid4())).status_code == 404

    def test_the_log_says_it_in_words(self) -> None:
        comment = self.write()
        self.sign_in(self.bob)
        page = self.client.get(reverse("ircase:log", args=[self.case.reference]))
        self.assertContains(page, "commented on")
        self.assertContains(page, "E001 loader.exe")
        self.assertNotContains(page, f"“{comment.uuid}”")  # its id is not its words

    def test_limits_and_emptiness(self) -> None:
        for body in ("", "  \n ", "x" * 30_001):
            with pytest.raises(ValidationError):
                self.write(body)
        self.write("x" * 30_000)

    def test_many_comments_are_paged_in_few_queries(self) -> None:
        for number in range(60):
            self.write(f"@alice {number} E001 [[x]] {self.case.reference}")
        self.sign_in(self.bob)
        with self.assertNumQueries(13):
            page = self.client.get(f"{self.url()}?part=1", headers=HTMX)
        self.assertContains(page, "51–60 of 60")
        self.assertContains(page, "Earlier comments")
        assert comments.counts(self.case, {"evidence": [self.item.uuid]}) == {("evidence", str(self.item.uuid)): 60}


class ListTests(CommentsTestCase):
    """Lists say how many comments each of their things has, and lead there; where there is none they say nothing."""

    def look(self, name: str) -> str:
        self.sign_in(self.carol)
        return self.client.get(reverse(name, args=[self.case.reference])).content.decode()

    def check(self, name: str, kind: str, subject: object) -> None:
        here = f'href="{self.url(kind, subject)}"'
        assert here not in self.look(name), name
        self.write(kind=kind, subject=str(subject))
        assert f'{here} title="1 comment"' in self.look(name), name
        self.write(kind=kind, subject=str(subject))
        assert f'{here} title="2 comments"' in self.look(name), name

    def test_exhibits_events_and_notes(self) -> None:
        event = findings.add_event(case=self.case, actor=self.bob, at=self.case.opened_at, title="It began")
        note = notes.create_note(case=self.case, actor=self.alice, title="A note")
        self.check("ircase:evidence", "evidence", self.item.uuid)
        self.check("ircase:timeline", "event", event.uuid)
        self.check("ircase:notes", "note", note.uuid)

    def test_assets_and_indicators(self) -> None:
        asset, _ = findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws-07")
        indicator, _ = findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="192.0.2.7")
        self.check("ircase:entities", "asset", asset.uuid)
        self.check("ircase:entities", "indicator", indicator.uuid)

    def test_one_query_for_what_a_page_lists_and_none_for_nothing(self) -> None:
        self.write()
        with self.assertNumQueries(1):
            found = comments.counts(self.case, {"evidence": [self.item.uuid], "event": [uuid.uuid4()], "asset": []})
        assert found == {("evidence", str(self.item.uuid)): 1}
        with self.assertNumQueries(0):
            assert comments.counts(self.case, {"evidence": []}) == {}
        assert comments.counts(self.secret_case, {"evidence": [self.item.uuid]}) == {}


class TellingTests(CommentsTestCase):
    def told(self, code: str) -> list[str]:
        return sorted(Notice.objects.filter(code=code).values_list("person__username", flat=True))

    def test_whose_it_is_who_spoke_and_who_is_named(self) -> None:
        self.write()  # Bob, on what Alice sealed
        assert self.told("comment") == ["alice"]
        self.write("@bob yes, it is", actor=self.alice)
        assert self.told("mention") == ["bob"]
        assert self.told("comment") == ["alice"]  # Bob is told once, by his name
        notice = Notice.objects.get(code="mention")
        assert "names you in a comment on E001 loader.exe" in notice.title
        assert notice.path.startswith(self.url())

    def test_never_somebody_who_may_not_see_the_case(self) -> None:
        note = notes.create_note(case=self.secret_case, actor=self.alice, title="Quiet")
        self.write("@bob @mallory @carol", case=self.secret_case, actor=self.alice, kind="note", subject=str(note.uuid))
        assert Notice.objects.count() == 0

    def test_an_edit_tells_only_those_it_names_anew(self) -> None:
        comment = self.write("@alice look")
        comments.edit(comment=comment, actor=self.bob, body="@alice @carol look", version=1)
        assert self.told("mention") == ["alice", "carol"]
        assert self.told("comment") == []


class CommentApiTests(CommentsTestCase):
    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        if not hasattr(self, "token"):
            _, self.token = people.create_token(user=self.bob, name="test")
        headers = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        data = "" if body is None else json.dumps(body)
        url = f"/api/v1/cases/{self.case.reference}/{path}"
        return self.client.generic(method, url, data, content_type="application/json", headers=headers)

    def test_the_life_of_a_comment(self) -> None:
        new = {"kind": "evidence", "subject": str(self.item.uuid), "body": "First"}
        made = self.call("POST", "comments", new)
        assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
        path = f"comments/{made.json()['uuid']}"
        assert self.call("PUT", path, {"body": "Second"}, If_Match='"1"').headers["ETag"] == '"2"'
        assert self.call("PUT", path, {"body": "Third"}, If_Match='"1"').status_code == 412
        assert self.call("PUT", path, {"body": "Third", "version": 1}).status_code == 409
        assert self.call("POST", f"{path}/resolve", {"resolved": True}).json()["resolved_by"] == "bob"
        assert self.call("GET", "comments?resolved=false").json()["total"] == 0
        assert self.call("GET", f"comments?kind=evidence&subject={self.item.uuid}").json()["total"] == 1
        assert [row["body"] for row in self.call("GET", f"{path}/revisions").json()["items"]] == ["First"]
        assert self.call("POST", "comments", {**new, "subject": str(uuid.uuid4())}).status_code == 422

    def test_how_many_each_thing_has(self) -> None:
        note = notes.create_note(case=self.case, actor=self.bob, title="Calls")
        comments.resolve(comment=self.write(), actor=self.alice, resolved=True)
        self.write("And this?")
        self.write(kind="note", subject=str(note.uuid))
        exhibit = {"kind": "evidence", "subject": str(self.item.uuid), "comments": 2, "unresolved": 1}
        said = {"kind": "note", "subject": str(note.uuid), "comments": 1, "unresolved": 1}
        everything = self.call("GET", "comment-counts").json()
        assert (everything["items"], everything["total"]) == ([exhibit, said], 2)
        assert self.call("GET", "comment-counts?kind=note").json()["items"] == [said]
        assert self.call("GET", "comment-counts?limit=1&offset=1").json()["items"] == [said]
        assert self.call("GET", "comment-counts?kind=nothing").json()["total"] == 0

    def test_they_leave_with_the_case(self) -> None:
        self.write()
        (row,) = content.rows_of(Comment.objects.filter(case=self.case))
        assert (row["body"], row["author"]["username"]) == ("Is this the loader?", "bob")
        assert {"comments", "comment_revisions"} <= set(content.areas())
