"""A conclusion: the verdict, the sentence, the step of the checklist that it proves, and all of it in the report."""

import io

from django.urls import reverse
from django.utils import timezone

from ircase.report import data, markdown
from ircase.report.kinds import compose
from ircase.services.identity import people
from ircase.services.phases import checklist
from tests.cast import CastTestCase
from tests.hunting.stage import done_run


class ConclusionTests(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)
        self.run_ = done_run(self.case, self.bob, [{"DeviceName": "ws-07"}])
        self.step = checklist.add_item(case=self.case, actor=self.alice, title="Scope known", phase="detection")
        self.url = reverse("hunting:run_conclude", args=[self.case.reference, self.run_.uuid])

    def test_from_the_page_to_the_report(self) -> None:
        page = reverse("hunting:run", args=[self.case.reference, self.run_.uuid])
        self.assertContains(self.client.get(page), "Scope known")
        body = {"verdict": "confirmed", "sentence": "One device only.", "item": str(self.step.pk)}
        for _ in range(2):  # a second click links nothing twice
            self.client.post(self.url, body)
        assert self.step.proofs.get().activity == self.run_.activity
        self.assertContains(self.client.get(page), "Proves:")
        found = data.collect(self.case, now=timezone.now())
        assert found.hunts[0].work.proves == ("Scope known",)
        row = next(one for one in found.checklist if one.title == "Scope known")
        assert row.proofs == (f"Hunt: {self.run_.title}",)
        out = io.StringIO()
        markdown.write(compose(found), out)
        assert "**Proves:** Scope known" in out.getvalue() and "One device only." in out.getvalue()

    def test_a_step_of_another_case_is_none(self) -> None:
        other = checklist.add_item(case=self.secret_case, actor=self.alice, title="Elsewhere", phase="detection")
        self.client.post(self.url, {"verdict": "benign", "sentence": "Fine.", "item": str(other.pk)})
        assert not other.proofs.exists()
        self.run_.activity.refresh_from_db()
        assert self.run_.activity.verdict == ""

    def test_a_wrong_conclusion_links_nothing(self) -> None:
        answer = self.client.post(self.url, {"verdict": "confirmed", "sentence": "", "item": str(self.step.pk)})
        assert not self.step.proofs.exists()
        self.assertContains(answer, "Say in a sentence what it means", status_code=422)
        form = answer.context["conclusion"]
        assert (form["verdict"].value(), form["item"].value()) == ("confirmed", str(self.step.pk))

    def test_a_sentence_that_is_too_long_comes_back_whole(self) -> None:
        words = "x" * 2001
        answer = self.client.post(self.url, {"verdict": "benign", "sentence": words})
        self.assertContains(answer, words, status_code=422)

    def test_over_the_api_by_the_key_of_the_step(self) -> None:
        _, token = people.create_token(user=self.bob, name="t")
        path = f"/api/v1/cases/{self.case.reference}/hunts/runs/{self.run_.uuid}/conclusion"
        body = {"verdict": "benign", "sentence": "Fine.", "proves": self.step.key}
        headers = {"Authorization": f"Bearer {token}"}
        assert self.client.post(path, body, content_type="application/json", headers=headers).status_code == 200
        assert self.step.proofs.count() == 1
        body["proves"] = "nothing"
        assert self.client.post(path, body, content_type="application/json", headers=headers).status_code == 404
