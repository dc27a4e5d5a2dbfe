"""The site by the API: health, storage, retention policies, the log, who reaches how much."""

from ircase.models import LogEntry, RetentionPolicy, StoreSurvey
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase

POLICY = {"name": "Contracts", "tlp": "amber", "days": 365, "why": "The contract says so"}
READS = ("/site/health", "/site/storage", "/site/log", "/site/access", "/retention-policies")


class SiteTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.ada

    def test_only_administrators(self) -> None:
        for user in (self.alice, self.carol, self.mallory):
            self.user = user
            assert [self.call("get", path).status_code for path in READS] == [403] * len(READS)
            assert self.call("post", "/site/storage/surveys", {}).status_code == 403
            assert self.call("post", "/retention-policies", POLICY).status_code == 403
        assert not StoreSurvey.objects.exists() and not RetentionPolicy.objects.exists()

    def test_health_says_each_part(self) -> None:
        said = self.call("get", "/site/health").json()
        parts = {part["name"]: part["state"] for part in said["parts"]}
        assert parts["database"] == "healthy" and set(parts.values()) <= {"healthy", "degraded", "down"}
        assert said["people"] == 5

    def test_storage_counts_and_names_faults_only_of_cases_one_sees(self) -> None:
        hidden = make_evidence(self.secret_case, self.alice, b"x", name="x.txt")
        type(hidden).objects.filter(pk=hidden.pk).update(integrity="missing")
        said = self.call("get", "/site/storage").json()
        assert (said["exhibits"], said["faults"], said["hidden_faults"]) == (1, [], 1)
        assert said["survey"] is None and said["waiting"] is False
        asked = self.call("post", "/site/storage/surveys", {"remove": True})
        assert (asked.status_code, asked.json()["at"]) == (202, None)
        assert self.call("get", "/site/storage").json()["waiting"] is True
        assert LogEntry.objects.filter(chain="site", action="store.cleanup_asked").count() == 1

    def test_policies_are_made_changed_and_checked(self) -> None:
        made = self.call("post", "/retention-policies", POLICY)
        assert made.status_code == 201, made.content
        assert (made.json()["tlp"], made.json()["classification"], made.json()["changed_by"]) == ("amber", "", "ada")
        path = f"/retention-policies/{made.json()['id']}"
        changed = self.call("put", path, {**POLICY, "tlp": None, "days": 730, "enabled": False}).json()
        assert (changed["tlp"], changed["days"], changed["enabled"]) == ("", 730, False)
        assert self.call("get", "/retention-policies").json()["total"] == 1
        assert self.call("post", "/retention-policies", POLICY).status_code == 422, "the name is taken"
        for wrong in ({"days": 0}, {"days": 36_501}, {"kind": "ship"}, {"why": ""}):
            assert self.call("put", path, {**POLICY, **wrong}).status_code == 422
        assert self.call("put", "/retention-policies/999999", POLICY).status_code == 404
        actions = list(LogEntry.objects.filter(chain="site").values_list("action", flat=True))
        assert actions.count("retention.policy_made") == actions.count("retention.policy_changed") == 1

    def test_the_sites_log_by_action_and_actor(self) -> None:
        self.call("post", "/retention-policies", POLICY)
        (one,) = self.call("get", "/site/log?action=retention&actor=ada").json()["items"]
        assert (one["action"], one["detail"]["name"]) == ("retention.policy_made", "Contracts")
        assert self.call("get", "/site/log?action=case.").json()["total"] == 0

    def test_numbers_of_cases_and_never_which(self) -> None:
        reply = self.call("get", "/site/access")
        alice = next(one for one in reply.json()["items"] if one["username"] == "alice")
        assert alice["leads"] == 2 and alice["second_factor"] == "off"
        assert self.case.reference not in reply.content.decode()
