"""What a person does on the pages, a token does by the API."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from ircase import tasks
from ircase.exchange import stix
from ircase.models import CaseShare, Indicator, User
from ircase.services.identity import people
from tests.ircase.exchange import data as made
from tests.ircase.exchange.test_sharing import SharingTestCase


class ApiTests(SharingTestCase):
    WISH = {"format": "misp", "tlp": "amber", "sender": "Contoso CSIRT", "receiver": "CERT", "purpose": "Warning"}

    def send(self, user: User, method: str, tail: str, body: Any = None) -> Any:
        token = people.create_token(user=user, name="test")[1]
        return self.client.generic(
            method, f"/api/v1/cases/{self.case.reference}/{tail}", json.dumps(body) if body else "",
            content_type="application/json", headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip

    def test_a_file_is_previewed_made_fetched_and_removed(self) -> None:
        seen = self.send(self.bob, "POST", "shares/preview", self.WISH).json()
        assert seen["counts"]["attributes"] >= 1 and {"what", "why", "count"} == set(seen["stays"][0])
        reply = self.send(self.bob, "POST", "shares", self.WISH)
        assert reply.status_code == 202
        uuid = reply.json()["uuid"]
        tasks.share_case(CaseShare.objects.get().pk)
        assert self.send(self.bob, "GET", f"shares/{uuid}").json()["manifest"]["counts"] == seen["counts"]
        file = self.send(self.bob, "GET", f"shares/{uuid}/file")
        assert json.loads(b"".join(file))["Event"]["info"] == self.case.title
        assert self.send(self.bob, "DELETE", f"shares/{uuid}").json()["removed_at"]
        assert self.send(self.bob, "GET", f"shares/{uuid}/file").status_code == 410

    def test_red_takes_a_lead_and_what_is_no_format_is_said(self) -> None:
        assert self.send(self.bob, "POST", "shares", {**self.WISH, "tlp": "red"}).status_code == 403
        assert self.send(self.alice, "POST", "shares", {**self.WISH, "tlp": "red"}).status_code == 202
        assert self.send(self.bob, "POST", "shares/preview", {**self.WISH, "format": "openioc"}).status_code == 422

    def test_a_bundle_is_read_and_nothing_is_kept(self) -> None:
        before = Indicator.objects.count()
        token = people.create_token(user=self.bob, name="test")[1]
        reply = self.client.post(
            f"/api/v1/cases/{self.case.reference}/indicator-files",
            {"file": SimpleUploadedFile("b.json", stix.make(made.rich()).data)},
            headers={"Authorization": f"Bearer {token}"},
        )
        items = {one["value"]: one for one in reply.json()["items"]}
        assert items["c2.example"]["tlp"] == "green" and items["203.0.113.7"]["there"]
        assert reply.json()["unknown"]["objects of the type malware"] == 1 and Indicator.objects.count() == before
