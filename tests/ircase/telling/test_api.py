"""The API of notifications: the same as the pages."""

import json
import uuid
from typing import Any

from ircase.models import CaseMute, Delivery, Hook, Notice, NoticeCode, NoticeSettings
from ircase.services import notices
from ircase.services.identity import people
from tests.cast import CastTestCase

HOOK = {"name": "SOAR", "url": "https://hooks.example.com/in?key=verysecret", "codes": ["phase", "nonsense"]}


class TellingApi(CastTestCase):
    def call(self, who: Any, method: str, path: str, body: Any = None) -> Any:
        token = people.create_token(user=who, name="t", scopes=["read", "write", "administer"])[1]
        reply = self.client.generic(
            method, f"/api/v1{path}", "" if body is None else json.dumps(body),
            content_type="application/json", headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        return reply.status_code, (reply.json() if reply.content else None)

    def test_settings(self) -> None:
        status, found = self.call(self.bob, "GET", "/notification-settings")
        assert (status, found["digest_days"], found["choices"]["mention"]) == (
            200, [0, 1, 2, 3, 4], {"mail": "", "teams": ""},
        )  # fmt: skip
        body = {"choices": {"mention": {"mail": "off"}, "nonsense": {"mail": "off"}}, "teams": HOOK["url"],
                "quiet": True, "quiet_from": "21:00", "quiet_until": "06:00"}  # fmt: skip
        status, found = self.call(self.bob, "PUT", "/notification-settings", body)
        assert (status, found["teams"], found["quiet_from"]) == (200, True, "21:00")
        assert "verysecret" not in str(found)
        assert NoticeSettings.objects.get().choices == {"mention": {"mail": "off"}}
        for wrong in ({"teams": "http://x/"}, {"digest_hour": 24}, {"digest_days": [7]},
                      {"choices": {"mention": {"mail": "soon"}}}):  # fmt: skip
            assert self.call(self.bob, "PUT", "/notification-settings", wrong)[0] == 422, wrong
        assert self.call(self.bob, "POST", "/notification-settings/test", {"channel": "mail"})[0] == 422

    def test_notices(self) -> None:
        Notice.objects.all().delete()
        notices.tell(code=NoticeCode.MENTION, people=[self.bob], case=self.case, subject=uuid.uuid4(), title="Zebra",
                     path="/")  # fmt: skip
        _, page = self.call(self.bob, "GET", "/notices?unread=true&code=mention")
        (one,) = page["items"]
        assert self.call(self.bob, "GET", "/notices?code=comment")[1]["total"] == 0
        assert self.call(self.bob, "POST", f"/notices/{one['uuid']}/read")[0] == 204
        assert self.call(self.bob, "GET", "/notices?unread=true")[1]["total"] == 0
        assert self.call(self.bob, "POST", f"/notices/{one['uuid']}/unread")[0] == 204
        assert self.call(self.bob, "POST", "/notices/read")[0] == 204
        assert self.call(self.alice, "POST", f"/notices/{one['uuid']}/read")[0] == 404

    def test_hooks_of_a_case_and_of_the_site(self) -> None:
        own = f"/cases/{self.case.reference}/hooks"
        for who, base in ((self.alice, own), (self.ada, "/hooks")):
            status, made = self.call(who, "POST", base, HOOK)
            assert (status, made["codes"], made["host"], len(made["secret"]) > 30) == (
                201, ["phase"], "hooks.example.com", True,
            )  # fmt: skip
            status, changed = self.call(who, "PUT", f"{base}/{made['uuid']}", {"enabled": False})
            assert (status, changed["enabled"], changed["name"]) == (200, False, "SOAR")
            assert self.call(who, "POST", f"{base}/{made['uuid']}/secret")[1]["secret"] != made["secret"]
            assert self.call(who, "GET", base)[1]["total"] == 1
            assert "verysecret" not in str(self.call(who, "GET", base))
            assert self.call(who, "DELETE", f"{base}/{made['uuid']}")[0] == 204
        assert self.call(self.alice, "POST", own, {**HOOK, "url": "http://x/"})[0] == 422
        assert self.call(self.bob, "POST", own, HOOK)[0] == 403
        assert self.call(self.mallory, "POST", own, HOOK)[0] == 404
        assert self.call(self.alice, "POST", "/hooks", HOOK)[0] == 403
        assert not Hook.objects.exists()

    def test_mute_telling_and_deliveries(self) -> None:
        case = f"/cases/{self.secret_case.reference}"
        assert self.call(self.alice, "PUT", f"{case}/mute", {"muted": True})[0] == 204
        assert CaseMute.objects.filter(person=self.alice, case=self.secret_case).exists()
        assert self.call(self.alice, "PUT", f"{case}/outside", {"names": True})[1] == {"names": True}
        assert self.call(self.bob, "GET", f"{case}/outside")[0] == 404
        row = Delivery.objects.create(channel="mail", person=self.alice, case=self.secret_case, code="phase",
                                      subject=uuid.uuid4(), title="Lion", path="/", state="dead")  # fmt: skip
        _, page = self.call(self.ada, "GET", "/deliveries?state=dead")
        assert page["items"][0]["case"] is None and "Lion" not in str(page)
        assert self.call(self.ada, "POST", f"/deliveries/{row.uuid}/again")[0] == 204
        assert self.call(self.ada, "POST", f"/deliveries/{row.uuid}/again")[0] == 422
        assert self.call(self.alice, "GET", "/deliveries")[0] == 403
