"""A device that something is asked of is an asset of the case from then on: once, with what it is called and its id."""

from django.urls import reverse

from ircase.models import Asset, LogEntry
from ircase.services.analysis import findings
from ircase.services.analysis.devices import Device, note_devices
from liveresponse.services import batches
from tests.cast import CastTestCase
from tests.ircase.queries import at_most
from tests.liveresponse.tenant import MACHINE
from tests.liveresponse.test_actions import ActionTestCase
from tests.liveresponse.test_batches import BatchTestCase
from tests.liveresponse.test_collections import CollectionTestCase

NAME = "ws-07.contoso.com"


class NotingTests(CastTestCase):
    def note(self, *devices: tuple[str, str]) -> list[str]:
        named = [Device(name, identifier, {"collection": "x"}) for name, identifier in devices]
        return [one.name for one in note_devices(case=self.case, actor=self.bob, devices=named)]

    def assets(self) -> list[tuple[str, str]]:
        return list(Asset.objects.filter(case=self.case).order_by("name").values_list("name", "identifier"))

    def test_no_device_twice_whatever_it_goes_by(self) -> None:
        assert self.note((" WS-07.Contoso.com ", ""), ("ws-07.contoso.com", "a" * 40)) == ["ws-07.contoso.com"]
        assert self.note(("ws-07", ""), ("renamed", "A" * 40), ("a" * 40, ""), ("", "b" * 40)) == []
        assert self.assets() == [("ws-07.contoso.com", "a" * 40)]
        assert self.note(("ws-07.other.com", ""), ("ws-07", "b" * 40)) == ["ws-07.other.com"]
        assert self.assets()[1] == ("ws-07.other.com", "b" * 40)

    def test_what_is_there_keeps_what_it_is(self) -> None:
        asset, _ = findings.add_asset(
            case=self.case, actor=self.alice, kind="device", name="ws-07", description="Eve's"
        )
        findings.judge_asset(asset=asset, actor=self.alice, compromise="confirmed", description="Eve's")
        assert self.note((NAME, "a" * 40)) == []
        asset.refresh_from_db()
        assert (asset.name, asset.identifier, asset.compromise, asset.added_by) == (
            "ws-07", "a" * 40, "confirmed", self.alice
        )  # fmt: skip
        self.note((NAME, "b" * 40))
        asset.refresh_from_db()
        assert asset.identifier == "a" * 40

    def test_two_of_one_host_name_are_left_alone(self) -> None:
        self.note(("ws-07.a.com", ""), ("ws-07.b.com", ""))
        assert self.note(("ws-07", "c" * 40)) == []
        assert {identifier for _, identifier in self.assets()} == {""}

    def test_many_take_few_queries_and_one_entry(self) -> None:
        with at_most(20):  # SQLite takes 90 rows at once
            self.note(*((f"pc-{number}", f"{number:040x}") for number in range(300)))
        entry = LogEntry.objects.get(case=self.case, action="asset.added_many")
        assert entry.detail["count"] == 300
        assert entry.detail["provenance"] == {"collection": "x"}
        self.sign_in(self.carol)
        page = self.client.get(reverse("ircase:log", args=[self.case.reference]))
        self.assertContains(page, "asked for a collection, which added 300 devices at once")
        found = self.client.get(reverse("ircase:search"), {"q": "pc-299"})
        self.assertContains(found, "pc-299")


class CollectionTests(CollectionTestCase):
    def test_the_device_is_an_asset_and_gets_its_id_from_defender(self) -> None:
        row = self.ask("get-file", Path=r"C:\x.txt")
        asset = Asset.objects.get(case=self.case)
        assert (asset.kind, asset.name, asset.identifier, asset.added_by) == ("device", NAME, "", self.bob)
        entry = LogEntry.objects.get(case=self.case, action="asset.added")
        assert entry.detail["provenance"] == {"collection": str(row.uuid)}
        self.finish(row)
        asset.refresh_from_db()
        assert asset.identifier == MACHINE
        assert LogEntry.objects.filter(case=self.case, action="asset.identified").count() == 1
        self.sign_in(self.carol)
        page = self.client.get(reverse("ircase:entities", args=[self.case.reference]))
        self.assertContains(page, reverse("liveresponse:collection", args=[self.case.reference, row.uuid]))
        self.ask("get-file", Path=r"C:\y.txt")
        assert Asset.objects.filter(case=self.case).count() == 1


class BatchTests(BatchTestCase):
    def test_those_that_are_in_are_assets_when_it_starts(self) -> None:
        batch = self.drafted("pc-000", "pc-001", "pc-002")
        assert not Asset.objects.filter(case=self.case).exists()
        batches.start(batch=batch, actor=self.bob, without=[f"{1:040x}"])
        assert list(Asset.objects.filter(case=self.case).order_by("name").values_list("name", "identifier")) == [
            ("pc-000.contoso.com", f"{0:040x}"), ("pc-002.contoso.com", f"{2:040x}")
        ]  # fmt: skip
        self.sign_in(self.carol)
        page = self.client.get(reverse("ircase:entities", args=[self.case.reference]))
        self.assertContains(page, reverse("liveresponse:batch", args=[self.case.reference, batch.uuid]))


class ActionTests(ActionTestCase):
    def test_a_device_but_no_indicator(self) -> None:
        self.ask("block")
        assert not Asset.objects.filter(case=self.case).exists()
        row = self.ask("isolate")
        asset = Asset.objects.get(case=self.case)
        assert (asset.name, asset.provenance) == (row.target, {"action": str(row.uuid)})
        self.finish(self.approved("scan"))
        asset.refresh_from_db()
        assert asset.identifier == MACHINE
