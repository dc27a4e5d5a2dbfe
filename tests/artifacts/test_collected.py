"""What collections hold beside their CSVs: printed texts, packages, histories, databases."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts.collected.browsers import chromium_time, firefox_time, profile_of
from artifacts.collected.package import folder_table, host_of, package_root
from tests.artifacts.conftest import Loaded, codes, counts, rows, zipped
from tests.artifacts.test_collected_listings import MPLOG
from tests.artifacts.test_dfir import BOM, CSV, ROOT, dfir_zip


def utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def database(tmp_path: Path, *statements: str, fill: Callable[[sqlite3.Connection], None] | None = None) -> bytes:
    path = tmp_path / "made.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    if fill:
        fill(connection)
    connection.commit()
    connection.close()
    return path.read_bytes()


# --- the DFIR zip


def test_printed_texts_stand_in_where_the_csv_is_missing_or_empty(run: Loaded) -> None:
    more = {
        f"{ROOT}\\ShadowCopies.txt": utf16("\nID          : {6F1C}\nInstallDate : 1/17/2026 1:02:03 PM\n"),
        f"{ROOT}\\Persistence\\AutoRunInfo.txt": utf16("\nName : not read\n"),
        f"{CSV}\\DNSCache.csv": BOM,
        f"{ROOT}\\Connections\\DNSCache.txt": utf16("\nEntry      : evil.example\nTimeToLive : 1.234\n"),
    }
    report = run({f"{ROOT}.zip": dfir_zip(**more)})
    found = counts(report)
    assert (found["DFIR_ShadowCopy"], found["DFIR_DNSCache"], found["DFIR_AutoRun"]) == (1, 1, 1)
    assert rows(report, "DFIR_AutoRun")[0]["Name"] == "Vänta"
    assert rows(report, "DFIR_DNSCache")[0]["TimeToLive"] == 1234
    assert str(rows(report, "DFIR_ShadowCopy")[0]["InstallDate_Local"]) == "2026-01-17 13:02:03"
    assert {file.kind for file in report.files if file.name.endswith("AutoRunInfo.txt")} == {"twin"}


def test_places_on_the_line_win_over_commas(run: Loaded) -> None:
    text = (
        " USERNAME              SESSIONNAME        ID  STATE   IDLE TIME  LOGON TIME\n"
        " bob                                       2  Disc         1:07  1/17/2026 9:00 AM\n"
    )
    drivers = (
        "\nModule Name  Display Name           Driver Type   Link Date\n"
        "============ ====================== ============= ======================\n"
        "abcdefghijkl A name that fills it a Kernel        11/3/2035 1:02:03 PM\n"
    )
    more = {
        f"{ROOT}\\UserInformation\\ActiveUsers.txt": utf16(text),
        f"{ROOT}\\Persistence\\InstalledDrivers.txt": utf16(drivers),
    }
    report = run({f"{ROOT}.zip": dfir_zip(**more)})
    (bob,) = rows(report, "DFIR_ActiveUsers")
    assert (bob["USERNAME"], bob["ID"], str(bob["LOGON_TIME_Local"])) == ("bob", "2", "2026-01-17 09:00:00")
    (driver,) = rows(report, "DFIR_Drivers")
    assert driver["Display_Name"] == "A name that fills it a" and driver["Driver_Type"] == "Kernel"


def test_run_keys_are_a_row_per_value_and_the_text_adds_what_the_csv_lost(run: Loaded) -> None:
    path = "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SOFTWARE\\WOW6432Node\\Run"
    text = utf16("\nOnce         : C:\\once.exe\nPSPath       : " + path + "Once\n\nJava         : C:\\jusched.exe\n")
    csv = BOM + f'"Java","PSPath","PSProvider"\r\n"C:\\jusched.exe","{path}","x"\r\n'.encode()
    more = {f"{CSV}\\Win32RegRunKey.csv": csv, f"{ROOT}\\Persistence\\Win32RegRunKey.txt": text}
    found = rows(run({f"{ROOT}.zip": dfir_zip(**more)}), "DFIR_Win32RegRunKey")
    assert {(row["RegistryKey"][-7:], row["RegistryValueName"], row["RegistryValueData"]) for row in found} == {
        ("ode\\Run", "Java", "C:\\jusched.exe"), ("RunOnce", "Once", "C:\\once.exe"),
    }  # fmt: skip


def test_the_culture_of_dates_is_noted_with_its_reason_and_lent_within_a_device(run: Loaded) -> None:
    more = {f"{CSV}\\InstalledSoftware.csv": BOM + b'"TimeCreated","Message"\r\n"01.02.2025 10:00:00","x"\r\n'}
    report = run({f"{ROOT}.zip": dfir_zip(**more)})
    notes = {note.member.rpartition("/")[2]: note.message for note in report.notes if note.code == "note.culture"}
    assert notes["OpenTCPConnections.csv"].startswith("CreationTime read as day, month, year: no other order")
    assert "zone is not said" in notes["OpenTCPConnections.csv"]
    (row,) = rows(report, "DFIR_InstalledSoftware")
    if "InstalledSoftware.csv" in notes:  # read after the file that settled it
        assert "of the same device" in notes["InstalledSoftware.csv"]
        assert str(row["TimeCreated_Local"]) == "2025-02-01 10:00:00"
    else:
        assert codes(report) == ["dfir.culture"]


def test_a_culture_that_stays_open_is_a_problem(run: Loaded) -> None:
    csv = BOM + b'"TimeCreated","Message"\r\n"01/02/2025 10:00:00","x"\r\n'
    report = run({f"{ROOT}.zip": zipped({f"{CSV}\\InstalledSoftware.csv": csv})})
    assert codes(report) == ["dfir.culture"] and "text only" in report.problems[0].message
    assert rows(report, "DFIR_InstalledSoftware")[0]["TimeCreated"] == "01/02/2025 10:00:00"


def test_what_only_an_administrator_may_see_is_said(run: Loaded) -> None:
    text = utf16("N/A: Must be an administrator to view exclusions\n")
    report = run({f"{ROOT}.zip": zipped({f"{ROOT}\\DefenderExclusions\\ExclusionPath.txt": text})})
    assert codes(report) == ["dfir.admin"] and counts(report) == {}


def test_openfiles_remarks_are_no_header(run: Loaded) -> None:
    info = "INFO: The system global flag 'maintain objects list' needs\n,to be enabled\n"
    table = "ID,Accessed By,Type,Open File\n====,====,====,====\n201,bob,Windows,D:\\plan.xlsx\n"
    member = f"{CSV}\\RemotelyOpenedFiles.csv"
    (row,) = rows(run({f"{ROOT}.zip": zipped({member: BOM + (info + table).encode()})}), "DFIR_RemotelyOpenedFiles")
    assert (row["ID"], row["Accessed_By"], row["Open_File"]) == ("201", "bob", "D:\\plan.xlsx")
    assert counts(run({f"{ROOT}.zip": zipped({member: BOM + info.encode()})})) == {}


GERMAN = (
    "Fehler beim Anmelden eines Kontos.\r\n\r\nAntragsteller:\r\n\tSicherheits-ID:\t\tS-1-5-18\r\n"
    "\tKontoname:\t\tPC1$\r\n"
    "\tKontodomäne:\t\tCONTOSO\r\n\r\nAnmeldetyp:\t\t\t10\r\n\r\nKonto, für das die Anmeldung fehlgeschlagen ist:\r\n"
    "\tSicherheits-ID:\t\tS-1-0-0\r\n\tKontoname:\t\tadministrator\r\n\tKontodomäne:\t\tCONTOSO\r\n\r\n"
    "Fehlerinformationen:\r\n\tStatus:\t\t\t0xC000006D\r\n\tUnterstatus:\t\t0xC000006A\r\n\r\n"
    "Netzwerkinformationen:\r\n\tArbeitsstationsname:\tEVIL\r\n\tQuellnetzwerkadresse:\t203.0.113.7\r\n"
    "\tQuellport:\t\t50123\r\n"
)
FRENCH = (
    "Échec d’ouverture de session d’un compte.\r\n\r\nSujet\u00a0:\r\n\tID de sécurité\u00a0:\t\tS-1-5-18\r\n\r\n"
    "Type d’ouverture de session\u00a0:\t\t\t3\r\n\r\nCompte pour lequel l’ouverture de session a échoué\u00a0:\r\n"
    "\tNom du compte\u00a0:\t\tFrédéric\r\n\tDomaine du compte\u00a0:\t\tCORP\r\n\r\n"
    "Informations sur le réseau\u00a0:\r\n\tAdresse du réseau source\u00a0:\t198.51.100.7\r\n"
    "\tPort source\u00a0:\t\t51234\r\n"
)


@pytest.mark.parametrize(
    ("message", "account", "kind", "address", "port"),
    [
        (GERMAN, "administrator", "RemoteInteractive", "203.0.113.7", 50123),
        (FRENCH, "frédéric", "Network", "198.51.100.7", 51234),
    ],
)
def test_messages_of_other_languages_give_fields(
    run: Loaded, message: str, account: str, kind: str, address: str, port: int
) -> None:
    from tests.artifacts.test_dfir import SECURITY_HEADER

    row = (
        f'"4625","PC1.contoso.com","System.Byte[]","900","(12544)","12544","FailureAudit","{message}",'
        '"Microsoft-Windows-Security-Auditing","x","4625","18.01.2026 15:35:24","18.01.2026 15:35:24",,,\r\n'
    )
    report = run({"SecurityEvents-2026-01-18.csv": SECURITY_HEADER + row})
    (logon,) = rows(report, "DeviceLogonEvents")
    assert (logon["ActionType"], logon["AccountName"], logon["LogonType"]) == ("LogonFailed", account, kind)
    assert (logon["RemoteIP"], logon["RemotePort"]) == (address, port)
    assert [note.code for note in report.notes] == ["note.culture"]


def test_a_language_that_is_not_known_is_said_and_its_text_kept(run: Loaded) -> None:
    from tests.artifacts.test_dfir import SECURITY_HEADER

    row = (
        '"4624","PC1","x","900","1","1","SuccessAudit","Egy fiók.\r\n\r\nTárgy:\r\n\tNév:\t\tx\r\n\r\n",'
        '"Microsoft-Windows-Security-Auditing","x","4624","2026. 01. 18. 15:35:24","2026. 01. 18. 15:35:24",,,\r\n'
    )
    report = run({"SecurityEvents-x.csv": SECURITY_HEADER + row})
    assert codes(report) == ["csv.language"]
    assert str(rows(report, "SecurityEvent")[0]["TimeGenerated"]) == "2026-01-18 15:35:24"


def test_histories_and_support_logs_of_the_zip(run: Loaded) -> None:
    more = {
        f"{ROOT}\\PowerShellHistory\\Ann.Name\\ConsoleHost_history.txt": "whoami\r\n",
        f"{ROOT}\\MPLogs\\MPLog-20231219-000000.log": utf16(MPLOG),
    }
    report = run({f"{ROOT}.zip": dfir_zip(**more)})
    (command,) = rows(report, "PowerShellHistory")
    assert (command["AccountName"], command["CommandLine"], command["DeviceName"]) == ("ann", "whoami", "pc1")
    found = rows(report, "DefenderSupportLog")
    assert len(found) == 8 and {row["DeviceName"] for row in found} == {"pc1"}
    assert str(found[2]["Timestamp"]) == "2023-12-19 09:33:18.855000"


# --- the investigation package

PACKAGE = {
    "Autoruns/Autoruns.csv": BOM + b'"Name","Command"\r\n"x","y"\r\n',
    "Installed Programs/InstalledPrograms.csv": "Name,Vendor\r\nTool,Contoso\r\n",
    "Network connections/ActiveNetConnections.txt": "  TCP    10.0.0.5:1  203.0.113.7:443  ESTABLISHED  7\r\n",
    "Network connections/Arp.txt": "Interface: 10.0.0.5 --- 0x6\r\n  10.0.0.1  00-15-5d-01-02-03  dynamic\r\n",
    "Network connections/DnsCache.txt": "    Record Name . . . . . : evil.example\r\n    Record Type . . . . . : 1\r\n",
    "Network connections/IpConfig.txt": "PC\r\n\r\n   Host Name . . . . . : PC1\r\n",
    "Network connections/pfirewall.log": "#Fields: date time action\r\n2026-01-18 15:35:24 DROP\r\n",
    "Prefetch files/PrefetchFilesList.txt": "X.EXE-00000001.pf\r\n",
    "Prefetch files/X.EXE-00000001.pf": b"MAM\x04\x00\x01\x02",
    "System Information/SystemInformation.txt": "Host Name: PC1\r\nOS:  Windows\r\n",
    "SMB sessions/Sessions.txt": "Computer   User\r\n--------   ----\r\n\\\\10.0.0.9 bob\r\n",
    "Temp Directories/Temp.txt": "just a line\r\nanother\r\n",
    "WdSupportLogs/MpCmdRunLog.txt": utf16("MpCmdRun: Command Line: x\n"),
    "WdSupportLogs/MPSupportFiles.cab": b"MSCF\x00\x00\x00\x00rest",
    "CollectionSummaryReport.xls": "Step\tResult\r\nAutoruns\tDone\r\n",
}  # fmt: skip


def test_a_package_becomes_tables_by_its_folders(run: Loaded) -> None:
    report = run({"InvestigationPackage-pc1.zip": zipped(PACKAGE)})
    assert counts(report) == {
        "Package_Autoruns": 1, "Package_InstalledPrograms": 1, "Package_NetworkConnections": 1, "Package_ArpCache": 1,
        "Package_DnsCache": 1, "Package_IpConfig": 1, "FirewallLog": 1, "Package_PrefetchFiles": 1,
        "Package_SystemInformation": 2, "Package_SMBSessions": 1, "Package_Text": 2, "MpCmdRunLog": 1,
        "Package_CollectionSummary": 1,
    }  # fmt: skip
    assert codes(report) == ["archive.unsupported"] and report.problems[0].member.endswith("MPSupportFiles.cab")
    assert all(row["DeviceName"] == "pc1" for name in counts(report) for row in rows(report, name))
    assert rows(report, "Package_CollectionSummary")[0]["Result"] == "Done"
    assert rows(report, "Package_NetworkConnections")[0]["OwningProcess"] == 7
    assert [note.code for note in report.notes] == ["note.lines"]


def test_a_real_workbook_of_that_name_is_named(run: Loaded) -> None:
    report = run({"p.zip": zipped({**PACKAGE, "CollectionSummaryReport.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest"})})
    assert "package.xls" in codes(report) and "Package_CollectionSummary" not in counts(report)


def test_what_makes_a_package() -> None:
    assert package_root(["Services/a.csv", "x/Services/b.csv"]) is None
    assert package_root(["Services/a.csv", "Autoruns/b.csv", "Processes/c.csv"]) == ""
    assert package_root(["P\\Services\\a.csv", "P\\Autoruns\\b.csv", "P\\processes\\c.csv"]) == "P/"
    assert folder_table("x.zip!Users and Groups/a.csv") == "Package_UsersAndGroups"
    assert (host_of("InvestigationPackage_pc-7.zip"), host_of("evidence.zip")) == ("pc-7", "")


# --- SQLite


def test_tables_of_a_database_with_types_blobs_and_odd_values(run: Loaded, tmp_path: Path) -> None:
    raw = database(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, flag BOOLEAN, size REAL, note TEXT, body BLOB, odd INTEGER, none INT)",
        "INSERT INTO a VALUES (1, 1, 2.5, 'é', x'00ff', 7, NULL), (2, 0, 3, 'b', NULL, 'seven', NULL)",
        'CREATE TABLE "b ""q" (x)',
        'INSERT INTO "b ""q" VALUES (\'y\')',
        "CREATE VIEW v AS SELECT * FROM a",
        "CREATE TABLE empty (z TEXT)",
    )
    report = run({"data.bin": raw})
    assert counts(report) == {"data_a": 2, "data_b_q": 1} and report.problems == ()
    first, second = rows(report, "data_a")
    assert (first["id"], first["flag"], first["size"], first["note"]) == (1, True, 2.5, "é")
    assert (first["body"], first["body_length"], first["odd"], second["odd"]) == ("00FF", 2, "7", "seven")
    kinds = {column.name: column.type for column in report.table("data_a").columns}
    assert (kinds["id"], kinds["flag"], kinds["size"], kinds["odd"], kinds["none"]) == (
        "long", "bool", "real", "string", "long",
    )  # fmt: skip
    assert first["SourceFile"] == "data.bin"


def test_one_table_is_called_by_the_file(run: Loaded, tmp_path: Path) -> None:
    raw = database(tmp_path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    assert counts(run({"Cookies.db": raw})) == {"Cookies": 1}


def test_a_schema_that_would_run_something_runs_nothing(run: Loaded, tmp_path: Path) -> None:
    raw = database(
        tmp_path,
        "CREATE TABLE t (x, y AS (printf('%1000000d', x)))",
        "INSERT INTO t (x) VALUES (1)",
        "CREATE VIRTUAL TABLE f USING fts5(words)",
    )
    report = run({"x.db": raw})
    assert set(codes(report)) == {"sqlite.generated", "sqlite.virtual"} and counts(report)["x_t"] == 1


def test_a_damaged_database_keeps_what_can_be_read(run: Loaded, tmp_path: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 100) for n in range(5_000)])

    raw = bytearray(database(tmp_path, "CREATE TABLE t (n INTEGER, s TEXT)", "CREATE TABLE u (m)", fill=fill))
    middle = len(raw) // 2 // 4096 * 4096
    raw[middle : middle + 40_960] = b"\xff" * 40_960
    report = run({"x.db": bytes(raw), "good.json": '{"A": 1}'})
    assert "sqlite.broken" in codes(report) and counts(report)["good"] == 1
    assert 100 < counts(report)["x_t"] < 5_000
    cut = run({"y.db": bytes(raw[:5_000])})
    assert "sqlite.broken" in codes(cut)
    no_schema = run({"z.db": b"SQLite format 3\0" + b"\xff" * 4_000})
    assert codes(no_schema) == ["sqlite.broken"] and no_schema.tables == ()


def test_a_write_ahead_log_is_named(run: Loaded, tmp_path: Path) -> None:
    raw = database(tmp_path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    report = run({"History": raw, "History-wal": b"\x37\x7f\x06\x82" + b"\0" * 100})
    assert codes(report) == ["sqlite.wal"] and "wal_checkpoint" in report.problems[0].message
    assert counts(report) == {"History": 1}


def test_a_huge_text_is_cut_and_the_load_goes_on(run: Loaded, tmp_path: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?, ?)", ("x" * 20_000_000, b"y" * 30_000_000))

    report = run({"x.db": database(tmp_path, "CREATE TABLE t (a TEXT, b BLOB)", fill=fill)})
    (row,) = rows(report, "x")
    assert (len(row["a"]), len(row["b"]), row["b_length"]) == (1_000_000, 128, 30_000_000)


# --- browsers


def chromium(tmp_path: Path) -> bytes:
    return database(
        tmp_path,
        "CREATE TABLE urls (id INTEGER PRIMARY KEY, url TEXT, title TEXT, visit_count INTEGER, typed_count INTEGER)",
        "CREATE TABLE visits (id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, from_visit INTEGER,"
        " transition INTEGER, visit_duration INTEGER)",
        "CREATE TABLE downloads (id INTEGER PRIMARY KEY, target_path TEXT, start_time INTEGER, end_time INTEGER,"
        " received_bytes INTEGER, total_bytes INTEGER, state INTEGER, danger_type INTEGER, opened INTEGER, "
        "referrer TEXT)",
        "CREATE TABLE downloads_url_chains (id INTEGER, chain_index INTEGER, url TEXT)",
        "INSERT INTO urls VALUES (1, 'https://a.example/', 'A', 2, 1), (2, 'https://evil.example/x', 'X', 1, 0)",
        # 13413224124123456 microseconds after 1601-01-01 are 2026-01-18 15:35:24.123456 UTC
        "INSERT INTO visits VALUES (10, 1, 13413224124123456, 0, 805306369, 1500000),"
        " (11, 2, 13413224125000000, 10, 0, 0)",
        "INSERT INTO downloads VALUES (1, 'C:\\x.exe', 13413224125000000, 0, 10, 20, 1, 3, 0, 'https://a.example/')",
        "INSERT INTO downloads_url_chains VALUES (1, 0, 'https://r.example'), (1, 1, 'https://evil.example/x.exe')",
    )


def test_chromium_history(run: Loaded, tmp_path: Path) -> None:
    name = f"{ROOT}\\Browsers\\Chromium\\Google\\Chrome\\Default\\History"
    report = run({f"{ROOT}.zip": zipped({name: chromium(tmp_path)})})
    first, second = rows(report, "BrowserHistory")
    assert (first["Url"], first["Transition"], first["VisitDurationSeconds"]) == ("https://a.example/", "typed", 1.5)
    assert str(first["Timestamp"]) == "2026-01-18 15:35:24.123456"
    assert (second["ReferrerUrl"], second["Browser"], second["Profile"]) == (
        "https://a.example/", "Google Chrome", "Default",
    )  # fmt: skip
    assert first["DeviceName"] == "pc1"
    (download,) = rows(report, "BrowserDownloads")
    assert (download["Url"], download["State"], download["DangerType"]) == (
        "https://evil.example/x.exe", "complete", "dangerous content",
    )  # fmt: skip
    assert (download["TotalBytes"], download["Opened"]) == (20, False) and "EndTime" not in download
    assert counts(report)["History_visits"] == 2


def test_firefox_history(run: Loaded, tmp_path: Path) -> None:
    raw = database(
        tmp_path,
        "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT, title TEXT, visit_count INTEGER, typed INTEGER)",
        "CREATE TABLE moz_historyvisits (id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER,"
        " visit_date INTEGER, visit_type INTEGER)",
        "CREATE TABLE moz_anno_attributes (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE moz_annos (id INTEGER PRIMARY KEY, place_id INTEGER, anno_attribute_id INTEGER, content TEXT,"
        " dateAdded INTEGER)",
        "INSERT INTO moz_places VALUES (1, 'https://a.example/', 'A', 1, 1), (2, 'https://evil.example/x', NULL, 1, 0)",
        # 2026-01-18 15:35:24.5 UTC
        "INSERT INTO moz_historyvisits VALUES (5, 0, 1, 1768750524500000, 2), (6, 5, 2, 1768750525000000, 7)",
        "INSERT INTO moz_anno_attributes VALUES (1, 'downloads/destinationFileURI'), (2, 'downloads/metaData')",
        "INSERT INTO moz_annos VALUES (1, 2, 1, 'file:///C:/x.exe', 1768750525000000),"
        """ (2, 2, 2, '{"state":1,"endTime":1768750530000,"fileSize":42}', 1768750530000000)""",
    )
    report = run({"Firefox/abc.default/places.sqlite": raw})
    first, second = rows(report, "BrowserHistory")
    assert (str(first["Timestamp"]), first["Transition"]) == ("2026-01-18 15:35:24.500000", "typed")
    assert (second["Transition"], second["ReferrerUrl"], second["Browser"]) == (
        "download", "https://a.example/", "Firefox",
    )  # fmt: skip
    (download,) = rows(report, "BrowserDownloads")
    assert (download["TargetPath"], download["State"], download["TotalBytes"]) == ("file:///C:/x.exe", "complete", 42)
    assert str(download["EndTime"]) == "2026-01-18 15:35:30"


def test_browser_times_and_places() -> None:
    assert chromium_time(0) is None and firefox_time(None) is None and chromium_time(10**30) is None
    assert chromium_time(11_644_473_600_000_000) == "1970-01-01T00:00:00.0000000Z"
    assert firefox_time(1) == "1970-01-01T00:00:00.0000010Z"
    found = profile_of("x.zip!Users/Ann/AppData/Local/Microsoft/Edge/User Data/Profile 1/History")
    assert found == {"AccountName": "ann", "Browser": "Microsoft Edge", "Profile": "Profile 1"}
