"""Two snapshots compared, by hand."""

import pytest

from artifacts import comparing
from artifacts.comparing import BY_NAME, Compared, Row


def compared(category: str, before: list[Row], after: list[Row], *, old: str = "", new: str = "") -> Compared:
    tables = list(BY_NAME[category].readers)
    sides = [
        comparing.things(BY_NAME[category], old or tables[0], before),
        comparing.things(BY_NAME[category], new or tables[0], after),
    ]
    return comparing.compare(sides[0], sides[1])


def titles(found: Compared) -> list[tuple[str, str]]:
    return [(one.what, one.thing.title) for one in found.all]


def autorun(name: str, command: str, location: str = "HKLM\\Run") -> Row:
    return {"Location": location, "Name": name, "Command": command}


def test_new_gone_changed_and_alike() -> None:
    before = [autorun("a", "a.exe"), autorun("b", "b.exe"), autorun("c", "c.exe")]
    after = [autorun("A", "A.EXE"), autorun("b", "evil.exe"), autorun("d", "d.exe")]
    found = compared("autoruns", before, after)
    assert titles(found) == [("new", "HKLM\\Run: d"), ("changed", "HKLM\\Run: b"), ("gone", "HKLM\\Run: c")]
    assert found.same == 1
    assert found.changed[0].changes == {"Command": ("b.exe", "evil.exe")}
    assert (found.new[0].thing.number, found.gone[0].thing.number) == (3, 3)


def test_the_same_twice_differs_in_nothing() -> None:
    rows = [autorun("a", "a.exe"), autorun("", "x"), autorun("", "")]
    found = compared("autoruns", rows, rows)
    assert (found.all, found.same) == ((), 2)


def test_the_hives_of_both_kinds_of_list_are_one() -> None:
    ours = [autorun("e", "e.exe", r"HKLM\Software\Run")]
    dfir = [{**autorun("e", "e.exe", r"HKEY_LOCAL_MACHINE\SOFTWARE\Run"), "User": "Public"}]
    found = compared("autoruns", dfir, ours, old="DFIR_AutoRun")
    assert (found.all, found.same) == ((), 1)


def test_programs_are_told_by_path_and_hash() -> None:
    def program(path: str, sha: str, number: int) -> Row:
        return {"FolderPath": path, "SHA256": sha, "ProcessId": number, "ProcessCommandLine": f"x {number}"}

    before = [program("C:\\a.exe", "11", 1), program("C:\\a.exe", "11", 2), program("C:\\b.exe", "22", 3)]
    after = [program("c:\\A.exe", "11", 9), program("C:\\b.exe", "33", 3), program("C:\\b.exe", "22", 4)]
    found = compared("processes", before, after)
    assert titles(found) == [("changed", "C:\\b.exe")]
    assert found.changed[0].changes == {"SHA-256": ("22", "22 | 33")}


def test_ports_and_addresses() -> None:
    rows: list[Row] = [
        {"Protocol": "Tcp", "State": "Listen", "LocalPort": 445, "LocalIP": "0.0.0.0", "FileName": "System"},
        {"Protocol": "Tcp", "State": "Listen", "LocalPort": 49_700, "LocalIP": "0.0.0.0", "FileName": "svchost.exe"},
        {"Protocol": "Tcp", "State": "Established", "RemoteIP": "203.0.113.91", "RemotePort": 443, "FileName": "e.exe"},
        {"Protocol": "Tcp", "State": "Established", "RemoteIP": "127.0.0.1", "RemotePort": 5, "FileName": "e.exe"},
    ]
    assert titles(compared("ports", [], rows)) == [("new", "Tcp 445, System")]
    assert titles(compared("addresses", [], rows)) == [("new", "203.0.113.91 port 443")]


def test_services_tasks_and_users() -> None:
    service: Row = {"Name": "Svc", "StartMode": "Auto", "PathName": "a.exe", "State": "Running"}
    assert not compared("services", [service], [{**service, "State": "Stopped"}]).all
    assert compared("services", [service], [{**service, "PathName": "b.exe"}]).changed[0].changes == {
        "Path": ("a.exe", "b.exe")
    }
    dfir: Row = {"Name": "Svc", "StartType": "Automatic"}
    assert not compared("services", [dfir], [service], old="DFIR_RunningServices").all
    task: Row = {"TaskPath": "\\\\X\\\\", "TaskName": "t", "Command": "a", "Enabled": True}
    assert compared("tasks", [task], [{**task, "Enabled": False}]).changed[0].changes == {"Enabled": ("yes", "no")}
    user: Row = {"AccountName": "u", "Sid": "S-1-5-21-1", "Groups": ["b", "a"], "Enabled": True}
    assert not compared("users", [user], [{**user, "Groups": ["a", "b"]}]).all
    assert not compared("users", [{"Name": "u", "SID": "s-1-5-21-1", "Enabled": "True"}], [user],
                        old="DFIR_LocalUsers").all  # fmt: skip
    assert titles(compared("users", [], [user])) == [("new", "u")]


def test_who_was_in_no_group_and_now_is_has_changed() -> None:
    admin: Row = {"AccountName": "a", "Sid": "S-1-5-21-500", "Groups": ["Administrators"], "Enabled": True}
    made: Row = {"AccountName": "m", "Sid": "S-1-5-21-1001", "Groups": [], "Enabled": True}
    found = compared("users", [admin, made], [admin, {**made, "Groups": ["Administrators"]}])
    assert found.changed[0].changes == {"Groups": ("none", "Administrators")} and found.same == 1
    # No groups at all: the script could not list them.
    assert not compared("users", [admin, made], [{**admin, "Groups": []}, made]).all
    guest: Row = {**made, "AccountName": "Guest", "PasswordLastSet": None}
    there: Row = {**admin, "PasswordLastSet": "2026-01-01T00:00:00Z"}
    given = compared("users", [there, guest], [there, {**guest, "PasswordLastSet": "2026-01-18T00:00:00Z"}])
    assert given.changed[0].changes == {"Password set": ("none", "2026-01-18T00:00:00Z")}


def test_a_task_that_gets_its_first_trigger_has_changed() -> None:
    task: Row = {"TaskName": "t", "Command": "a", "Triggers": ""}
    other: Row = {"TaskName": "o", "Command": "b", "Triggers": "Daily"}
    found = compared("tasks", [task, other], [{**task, "Triggers": "Logon"}, other])
    assert found.changed[0].changes == {"Triggers": ("none", "Logon")}


def test_services_of_a_sign_in_are_the_same_after_the_next() -> None:
    def service(name: str, path: str = "svchost.exe -k UnistackSvcGroup") -> Row:
        return {"Name": name, "PathName": path, "StartMode": "Auto"}

    before = [service("CDPUserSvc_3a2b1"), service("OneSyncSvc_3a2b1")]
    after = [service("CDPUserSvc_7f00c"), service("CDPUserSvc_12345a"), service("OneSyncSvc_7f00c", "evil.exe")]
    found = compared("services", before, [*after, service("Evil_7f00c")])
    assert titles(found) == [("new", "Evil_7f00c"), ("changed", "OneSyncSvc_7f00c")] and found.same == 1


def test_who_comes_to_a_port_of_ours_is_the_same_from_another_port() -> None:
    def connection(remote: int, local: int, address: str = "10.0.0.5") -> Row:
        return {"State": "Established", "RemoteIP": address, "RemotePort": remote, "LocalPort": local}

    found = compared("addresses", [connection(51_000, 3389)], [connection(60_000, 3389), connection(60_001, 445)])
    assert titles(found) == [("new", "10.0.0.5 to local port 445")] and found.same == 1
    # Both ports are handed out, or the remote one is not: it tells what was asked there.
    found = compared("addresses", [connection(51_000, 50_000)], [connection(443, 3389)])
    assert [one.what for one in found.all] == ["new", "gone"]


@pytest.mark.parametrize("category", comparing.CATEGORIES, ids=lambda one: one.name)
def test_rows_of_any_shape_are_survived(category: comparing.Category) -> None:
    odd: list[Row] = [{}, {"Name": None, "State": 7, "Groups": {"a": 1}, "TaskName": ["x"], "LocalPort": "x"}]
    for table in category.readers:
        comparing.things(category, table, odd)
