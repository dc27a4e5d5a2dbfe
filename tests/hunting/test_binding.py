"""A hunt and its values: what is asked, what the case fills in, what is frozen."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from hunting.binding import attach, attach_kql, fill
from hunting.catalogue import hunts
from ircase.services.analysis import findings
from tests.cast import CastTestCase
from tests.hunting.stage import NOW, frozen_hunt


def test_the_text_is_never_altered_and_the_whole_is_hashed() -> None:
    frozen = frozen_hunt("registry-run-keys", TargetDevice="WS01", SearchWindow="48h")
    assert frozen.kql == hunts()["registry-run-keys"].kql
    assert frozen.final_kql == frozen.prelude + frozen.kql
    assert frozen.prelude.splitlines() == [
        'let TargetDevice = "ws01";',
        "let SearchWindow = timespan(2.00:00:00);",
        "let AsOf = datetime(2026-11-20T18:00:00.0000000Z);",
    ]
    assert frozen.sha256 == hashlib.sha256(frozen.final_kql.encode()).hexdigest()
    assert (frozen.window.start, frozen.window.end) == (NOW - timedelta(hours=48), NOW)
    assert frozen.title == "Run and RunOnce keys: ws01"


def test_now_is_pinned() -> None:
    frozen = attach(hunt=hunts()["registry-run-keys"], given={}, now=NOW)
    assert frozen.parameters["AsOf"] == "2026-11-20T18:00:00.0000000Z"
    assert frozen.window.end == NOW


def test_every_fault_is_named_by_its_parameter() -> None:
    with pytest.raises(ValidationError) as error:
        attach(hunt=hunts()["device-logons"], given={"SearchWindow": "soon", "Nope": "1"})
    assert set(error.value.message_dict) == {"TargetDevice", "SearchWindow", "Nope"}


def test_one_of_several_is_enough_and_none_is_not() -> None:
    hunt = hunts()["file-activity"]
    with pytest.raises(ValidationError, match="Give at least one of"):
        attach(hunt=hunt, given={})
    frozen = attach(hunt=hunt, given={"FileNames": "loader.exe\nother.exe"}, now=NOW)
    assert 'let FileNames = dynamic(["loader.exe", "other.exe"]);' in frozen.prelude
    assert frozen.title == "A file everywhere, by hash or name: loader.exe and 1 more"


def test_own_kql_has_a_window_and_a_title_of_its_own() -> None:
    frozen = attach_kql(kql="// what\n\nDeviceEvents\n| take 5", span="7d", as_of="2026-11-20T18:00:00Z")
    assert (frozen.title, frozen.final_kql, frozen.prelude) == ("DeviceEvents", frozen.kql, "")
    assert frozen.window.start == datetime(2026, 11, 13, 18, tzinfo=UTC)
    for wrong in ({"kql": " "}, {"kql": "a\x00"}, {"kql": "x", "span": "soon"}, {"kql": "x", "as_of": "then"}):
        with pytest.raises(ValidationError):
            attach_kql(**wrong)


def test_a_window_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValidationError, match="calendar"):
        attach_kql(kql="x", span="3000d", as_of="0001-02-01T00:00:00Z")


class FillTests(CastTestCase):
    def add(self, kind: str, name: str) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind=kind, name=name)

    def test_one_device_is_filled_in_and_of_two_the_person_is_asked(self) -> None:
        hunt = hunts()["device-logons"]
        assert fill(hunt, self.case) == {}
        self.add("device", "ws01.contoso.com")
        assert fill(hunt, self.case) == {"TargetDevice": "ws01.contoso.com"}
        self.add("device", "ws02.contoso.com")
        assert fill(hunt, self.case) == {}
        chosen = self.case.assets.get(name="ws02.contoso.com")
        assert fill(hunt, self.case, asset=chosen) == {"TargetDevice": "ws02.contoso.com"}

    def test_a_list_takes_all_the_case_knows_of_that_kind(self) -> None:
        for value in ("ab" * 32, "cd" * 32):
            findings.add_indicator(case=self.case, actor=self.bob, kind="sha256", value=value)
        findings.add_indicator(case=self.case, actor=self.bob, kind="md5", value="ab" * 16)
        filled = fill(hunts()["file-activity"], self.case)
        assert filled == {"Sha256Values": ["ab" * 32, "cd" * 32], "Md5Values": ["ab" * 16]}

    def test_what_would_not_fit_is_left_to_the_person(self) -> None:
        self.add("account", "domain\\bob")
        assert fill(hunts()["account-sign-ins"], self.case) == {}
