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


@pytest.mark.parametrize("category", comparing.CATEGORIES, ids=lambda one: one.name)
def test_rows_of_any_shape_are_survived(category: comparing.Category) -> None:
    odd: list[Row] = [{}, {"Name": None, "State": 7, "Groups": {"a": 1}, "TaskName": ["x"], "LocalPort": "x"}]
    for table in category.readers:
        comparing.things(category, table, odd)
