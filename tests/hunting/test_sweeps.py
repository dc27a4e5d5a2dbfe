"""One hunt over many: what can be packed, that it answers as the single runs do, and whose each row is."""

import re
from collections import Counter
from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from hunting.catalogue import hunts
from hunting.models import HuntRun, Source, Sweep
from hunting.rowwise import Refusal
from hunting.services import runs, sweeps
from hunting.sweeping import BATCH_CHARACTERS, BATCH_VALUES, Packed, packed
from ircase.services.analysis import findings
from tests.cast import CastTestCase
from tests.hunting.stage import make_table, queue_hunt, record_of, work

PACKABLE = {
    "account-sign-ins", "device-logons", "device-malicious-activity", "device-powershell", "lsass-access",
    "office-connections", "registry-run-keys", "scheduled-tasks", "service-installs", "smb-connections",
}  # fmt: skip
AS_OF = {"AsOf": "2026-11-20T18:00:00Z", "SearchWindow": "7d"}
LOGONS = [
    {"Timestamp": "2026-11-20T17:00:00Z", "DeviceName": device, "AccountName": account, "ActionType": "LogonSuccess",
     "LogonType": "Network"}
    for device, account in [
        ("ws01.contoso.com", "ann"), ("WS01", "ben"), ("ws011.contoso.com", "eve"), ("ws02.contoso.com", "ann"),
        ("ws02.fabrikam.com", "cid"), ("srv.ws01", "eve"), ("ws03", "dan"),
    ]
]  # fmt: skip


def pack(kql: str, parameter: str = "Target", many: bool = False) -> Packed:
    found = packed(kql, parameter, "string", many)
    assert isinstance(found, Packed), found
    return found


def refusal(kql: str, parameter: str = "Target", many: bool = False) -> str:
    found = packed(kql, parameter, "string", many)
    assert isinstance(found, Refusal), found
    return str(found)


def test_the_library() -> None:
    able = set()
    for hunt in hunts().values():
        parameter = next((p for p in hunt.parameters if p.fill), None)
        if parameter and isinstance(packed(hunt.kql, parameter.name, "string", parameter.kind.many), Packed):
            able.add(hunt.id)
    assert able == PACKABLE


def test_how_a_condition_is_packed() -> None:
    assert pack("T | where A == Target").text(["x"]) == "T | where A in (Target)"
    assert pack("T | where A =~ Target and B").text(["x"]) == "T | where A in~ (Target) and B"
    either = pack('T | where isempty(Target) or A =~ Target or A startswith strcat(Target, ".")')
    assert either.text(["ws01"]) == 'T | where (tostring(split(A, ".")[0]) in~ (TargetLabels1))'
    assert either.bind(["ws01", "a.b"]) == (
        'let TargetLabels1 = dynamic(["ws01"]);\nlet TargetLabels2 = dynamic(["a.b"]);\n'
    )
    listed = pack("T | where Hash in~ (Targets) | project Hash, B", "Targets", many=True)
    assert listed.text(["x"]) == "T | where Hash in~ (Targets) | project Hash, B" and listed.column == "Hash"
    assert pack("T | where A == Target | project X = A | summarize count() by Y = X").column == "Y"


def test_what_keeps_a_hunt_from_being_packed() -> None:
    for kql, why in {
        "T | where A == Target | summarize count()": "line 1, column 25: summarize does not group by A",
        "T | where A == Target | top 5 by B": "line 1, column 25: top",
        "T | where A == Target | take 5": "take",
        "T | where A == Target | project B": "takes A away",
        "T | where A == Target | join (U) on A": "join",
        "T | where A == Target | serialize | extend N = next(B)": "serialize",
        "T | where A == Target | extend X = Target": "used here for more",
        "T | where not(A == Target)": "used here for more",
        "T | where A == Target or B == Target": "used here for more",
        "T | where A == Target | where B == Target": "compared twice",
        "T | where A has Target": "used here for more",
        "union (T | where A == Target), U": "Not every branch",
        "union (T | where A == Target), (U | where B == Target)": "Not every branch",
        "T | where true": "No column of the answer",
        "T | where A == Target | summarize arg_max(B, Target) by A": "more than the rows of one",
        "T | where A in (U | where B == Target)": "read as a whole",
        "let X = toscalar(T | where A == Target | count); T": "count",
        "T | where A == Target | make-series count() on B step 1h by A": "make-series",
    }.items():
        assert why in refusal(kql), kql


@given(st.lists(st.text(alphabet="ab.W", min_size=1, max_size=6), min_size=1, max_size=8, unique=True),
       st.dictionaries(st.text(alphabet="ab.w", max_size=8), st.integers(1, 5), max_size=12))  # fmt: skip
def test_whose_a_row_is(entities: list[str], counts: dict[str, int]) -> None:
    """As `Column =~ Target or Column startswith strcat(Target, ".")` says, for every value and entity."""
    how = Packed("", "Target", "string", "A", "host")
    for entity, values in how.share(entities, counts).items():
        name = entity.casefold()
        wanted = {v: n for v, n in counts.items() if v.casefold() == name or v.casefold().startswith(f"{name}.")}
        assert values == wanted


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=3000, unique=True).filter(len))
def test_batches_hold_everything_in_order_and_fit(entities: list[str]) -> None:
    how = pack("T | where A == Target")
    batches = list(how.batches(entities, 1000))
    assert [e for batch in batches for e in batch] == entities
    assert all(0 < len(batch) <= BATCH_VALUES and sum(map(len, batch)) < BATCH_CHARACTERS for batch in batches)


class SweepTests(CastTestCase):
    def sweep(self, hunt: str = "device-logons", values: list[str] | None = None, **more: Any) -> Sweep:
        found = sweeps.queue_sweep(
            case=self.case, actor=self.bob, hunt=hunts()[hunt], source=Source.CASE, values=values or [], given=AS_OF,
            **more,
        )  # fmt: skip
        for run in found.runs.all():
            done = work(run)
            assert done.state == "done", done.reason
        return found

    def test_packed_is_what_the_single_runs_give(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS)
        wanted = ["ws01", "ws02.contoso.com", "ws03", "ws04"]
        found = self.sweep(values=[*wanted, "WS03"])
        assert found.entities == wanted and found.is_packed and found.runs.count() == 1
        shares = {one.entity: one for one in sweeps.share(found)}
        assert {entity: one.values for entity, one in shares.items()} == {
            "ws01": {"WS01": 1, "ws01.contoso.com": 1},
            "ws02.contoso.com": {"ws02.contoso.com": 1},
            "ws03": {"ws03": 1},
            "ws04": {},
        }
        together = record_of(HuntRun.objects.with_people().get(sweep=found))
        singles: list[dict[str, Any]] = []
        for name in wanted:
            rows = record_of(
                work(queue_hunt(self.case, self.bob, "device-logons", TargetDevice=name, SearchWindow="7d"))
            )
            assert len(rows) == shares[name].rows
            singles += rows
        assert Counter(map(str, together)) == Counter(map(str, singles))

    def test_a_thousand_devices_are_one_query_and_three_thousand_three(self) -> None:
        for number, calls in ((1000, 1), (3000, 3)):
            names = [f"device{n:05}" for n in range(number)]
            found = sweeps.queue_sweep(
                case=self.case, actor=self.bob, hunt=hunts()["device-logons"], source=Source.DEFENDER, values=names
            )
            batches = [run.subjects for run in found.runs.order_by("pk")]
            assert len(batches) == calls and [name for batch in batches for name in batch] == names
            for run in found.runs.all():
                assert len(run.final_kql) < 100_000 and not re.search(r"\bTargetDevice\b", run.final_kql)

    def test_what_cannot_be_packed_is_asked_one_by_one(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", [
            {"Timestamp": "2026-11-20T17:00:00Z", "DeviceName": name, "ActionType": "ProcessCreated"}
            for name in ("ws01", "ws01", "ws02")
        ])  # fmt: skip
        found = self.sweep("device-process-list", ["ws01", "ws02", "ws03"])
        assert not found.is_packed and "next()" in found.why_not
        assert [(one.entity, one.rows) for one in sweeps.share(found)] == [("ws01", 2), ("ws02", 1), ("ws03", 0)]

    def test_a_run_that_failed_is_said_and_its_repetition_counts_once(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS)
        found = self.sweep(values=["ws01", "ws03"])
        first = HuntRun.objects.get(sweep=found)
        again = runs.retry(run=first, actor=self.bob)
        assert [one.state for one in sweeps.share(found)] == ["waiting", "waiting"]
        again = work(again)
        assert [(one.rows, one.state) for one in sweeps.share(found)] == [(2, "answered"), (1, "answered")]
        last = runs.retry(run=again, actor=self.bob)
        runs.cancel(run=last, actor=self.bob)
        assert [(one.rows, one.state) for one in sweeps.share(found)] == [(0, "not answered"), (0, "not answered")]

    def test_the_case_says_over_what(self) -> None:
        for name in ("ws01", "ws03"):
            findings.add_asset(case=self.case, actor=self.bob, kind="device", name=name)
        make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS)
        known = set(self.case.assets.filter(kind="device").values_list("name", flat=True))
        found = self.sweep()
        assert set(found.entities) == known >= {"ws01", "ws03"}

    def test_nothing_is_queued_where_something_does_not_fit(self) -> None:
        for values, more in ((['ws"; drop'], {}), ([], {"parameter": "AsOf"}), ([f"w{n}" for n in range(10_001)], {})):
            with (
                self.assertRaises(ValidationError),
                mock.patch("hunting.services.sweeps.known_values", return_value=[]),
            ):
                self.sweep(values=values, **more)
        with self.assertRaises(ValidationError):
            self.sweep("device-process-list", [f"w{n}" for n in range(1001)])
        assert not HuntRun.objects.exists() and not Sweep.objects.exists()

    def test_by_the_page_and_by_the_api(self) -> None:
        make_table(self.case, self.bob, "DeviceLogonEvents", LOGONS)
        self.client.force_login(self.bob)
        panel = self.client.get(reverse("hunting:panel", args=[self.case.reference]))
        self.assertContains(panel, "one hunt over many")
        form = {"hunt": "device-logons", "source": "case", "values": "ws01\nws03\n"}
        posted = self.client.post(reverse("hunting:sweep_new", args=[self.case.reference]), form)
        found = Sweep.objects.get()
        self.assertRedirects(posted, reverse("hunting:sweep", args=[self.case.reference, found.uuid]))
        bad = self.client.post(reverse("hunting:sweep_new", args=[self.case.reference]), form | {"values": 'x"'})
        self.assertContains(bad, "A device name is a DNS name", status_code=422)
        assert Sweep.objects.count() == 1
